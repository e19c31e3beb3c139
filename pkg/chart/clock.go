package chart

import (
	"text/template"
	"time"
)

// renderTime is what templates take for now.
var renderTime = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

const htmlDate = "2006-01-02"

// clockFunctions are sprig's date functions with a fixed time. The local zone
// is UTC, as it is where helm-controller runs.
func clockFunctions() template.FuncMap {
	return template.FuncMap{
		"now":            func() time.Time { return renderTime },
		"ago":            func(date any) string { return renderTime.Sub(instant(date)).Round(time.Second).String() },
		"date":           func(layout string, date any) string { return formatDate(layout, date, "") },
		"dateInZone":     formatDate,
		"date_in_zone":   formatDate,
		"htmlDate":       func(date any) string { return formatDate(htmlDate, date, "") },
		"htmlDateInZone": func(date any, zone string) string { return formatDate(htmlDate, date, zone) },
		"toDate": func(layout, text string) time.Time {
			t, _ := time.ParseInLocation(layout, text, time.UTC)
			return t
		},
		"mustToDate": func(layout, text string) (time.Time, error) {
			return time.ParseInLocation(layout, text, time.UTC)
		},
		"durationRound": durationRound,
	}
}

// instant reads a date as sprig does: a time, or seconds since 1970; anything
// else is now.
func instant(date any) time.Time {
	switch date := date.(type) {
	case time.Time:
		return date
	case *time.Time:
		return *date
	case int64:
		return time.Unix(date, 0)
	case int:
		return time.Unix(int64(date), 0)
	case int32:
		return time.Unix(int64(date), 0)
	}
	return renderTime
}

func formatDate(layout string, date any, zone string) string {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		location = time.UTC
	}
	return instant(date).In(location).Format(layout)
}

// durationUnits are those that durationRound knows, the longest first.
var durationUnits = []struct {
	name string
	size time.Duration
}{
	{"y", 365 * 24 * time.Hour},
	{"mo", 30 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
}

// durationRound writes a duration, or the time since a date, in whole units of
// the longest that it exceeds.
func durationRound(duration any) string {
	var d time.Duration
	switch duration := duration.(type) {
	case string:
		d, _ = time.ParseDuration(duration)
	case int64:
		d = time.Duration(duration)
	case time.Time:
		d = renderTime.Sub(duration)
	}
	d = d.Abs()
	for _, unit := range durationUnits {
		if d > unit.size {
			return formatInt(int64(d/unit.size)) + unit.name
		}
	}
	return "0s"
}
