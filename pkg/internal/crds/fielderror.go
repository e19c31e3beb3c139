package crds

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Reason says what kind of rule a FieldError breaks.
type Reason string

// The reasons.
const (
	UnknownField Reason = "unknown-field" // the API server would refuse or drop it
	Required     Reason = "required"
	TypeInvalid  Reason = "type"
	NotSupported Reason = "not-supported" // not one of the accepted values
	Invalid      Reason = "invalid"       // a pattern, a length, a list type or a CEL rule
)

// maxValue bounds how much of an offending value a FieldError carries.
const maxValue = 120

// FieldError is one thing that an API server would refuse an object for.
type FieldError struct {
	// Path is the field, as in "spec.chart.spec.version" or "spec.valuesFrom[0].kind"; empty for the object.
	Path string
	// Reason is the kind of rule that is broken.
	Reason Reason
	// Message says what is wrong and, where the rule tells, what is accepted.
	Message string
	// Value is the offending value where it is a string (shortened), a number or a boolean, else nil.
	// Maps and lists are left out: they may hold values that do not belong in a message.
	Value any
}

// Error gives path, value and message in one line.
func (e FieldError) Error() string {
	path := e.Path
	if path == "" {
		path = "object"
	}
	if e.Value == nil {
		return fmt.Sprintf("%s: %s", path, e.Message)
	}
	return fmt.Sprintf("%s: %#v: %s", path, e.Value, e.Message)
}

// reasons maps the API server's error types; those not listed are Invalid.
var reasons = map[field.ErrorType]Reason{
	field.ErrorTypeRequired:     Required,
	field.ErrorTypeTypeInvalid:  TypeInvalid,
	field.ErrorTypeNotSupported: NotSupported,
}

func fieldErrors(errs field.ErrorList) []FieldError {
	found := make([]FieldError, 0, len(errs))
	for _, err := range errs {
		found = append(found, newFieldError(err))
	}
	return found
}

func newFieldError(err *field.Error) FieldError {
	reason, ok := reasons[err.Type]
	if !ok {
		reason = Invalid
	}
	return FieldError{
		Path:    strings.TrimPrefix(err.Field, "<nil>"), // how field.Path prints the root
		Reason:  reason,
		Message: message(err),
		Value:   shownValue(err),
	}
}

// message drops what the schema validator repeats of the path ("spec.url in body should match …").
func message(err *field.Error) string {
	detail := strings.TrimPrefix(err.Detail, err.Field+" in body ")
	switch {
	case err.Type == field.ErrorTypeRequired && detail == "":
		return "is required"
	case detail == "":
		return strings.ToLower(err.Type.String())
	}
	return detail
}

// shownValue leaves out what is no single value, and what the API server puts in place of one: an error
// of a type or of a CEL rule carries the name of a type.
func shownValue(err *field.Error) any {
	if err.Type == field.ErrorTypeTypeInvalid {
		return nil
	}
	switch v := err.BadValue.(type) {
	case string:
		if v == "" || v == "object" || v == "array" {
			return nil
		}
		if len(v) > maxValue {
			return strings.ToValidUTF8(v[:maxValue], "") + "…"
		}
		return v
	case bool, int, int64, float64:
		return v
	}
	return nil
}

func unknownFields(paths []string) []FieldError {
	found := make([]FieldError, 0, len(paths))
	for _, path := range paths {
		found = append(found, FieldError{
			Path:    path,
			Reason:  UnknownField,
			Message: "no such field in this version of the kind",
		})
	}
	return found
}
