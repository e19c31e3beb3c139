package live

import (
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// Limits say after how long what is seen is a problem.
type Limits struct {
	PinNotDeployed, ResourceDrift, SuspendedTooLong, PinStale, PromotionLag time.Duration
}

const day = 24 * time.Hour

// DefaultLimits are the limits of a control repo that says nothing.
func DefaultLimits() Limits {
	return Limits{
		PinNotDeployed: 45 * time.Minute, ResourceDrift: 2 * time.Hour, SuspendedTooLong: day, PinStale: 14 * day, PromotionLag: 7 * day,
	}
}

// LimitsOf returns the limits of a control repo's alerts, which have been checked.
func LimitsOf(alerts *v1alpha1.AlertThresholds) Limits {
	limits := DefaultLimits()
	if alerts == nil {
		return limits
	}
	for _, set := range []struct {
		limit *time.Duration
		said  v1alpha1.Duration
	}{
		{&limits.PinNotDeployed, alerts.PinNotDeployed},
		{&limits.ResourceDrift, alerts.ResourceDrift},
		{&limits.SuspendedTooLong, alerts.SuspendedTooLong},
		{&limits.PinStale, alerts.PinStale},
		{&limits.PromotionLag, alerts.PromotionLag},
	} {
		if parsed, err := set.said.Parse(); err == nil && parsed > 0 {
			*set.limit = parsed
		}
	}
	return limits
}
