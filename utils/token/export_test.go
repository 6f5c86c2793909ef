package token

// VerifyAnew is Verify without what it remembers.
func (k *Kind) VerifyAnew(raw string) (*Claims, error) { return k.verify(raw) }
