package models

// SessionKind keeps the sessions of the site and those of the token lab apart:
// the tokens of one kind open nothing of the other.
type SessionKind string

const (
	Web SessionKind = "web"
	Lab SessionKind = "lab" // without its user's roles
)

// Of are the sessions of another kind, in the same collection. Listing and ending
// them is common to all kinds.
func (m *Sessions) Of(kind SessionKind, policy SessionPolicy) *Sessions {
	other := *m
	other.kind, other.policy = kind, policy
	return &other
}

// rolesOf are the roles that tokens of the session give their user.
func (s *Session) rolesOf(u *User) []string {
	if s.Kind == Lab {
		return []string{}
	}
	return u.Roles
}
