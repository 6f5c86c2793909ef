// Package codec replaces github.com/ugorji/go/codec (see "replace" in go.mod). Gin imports that for MessagePack, which
// no page and no client of this site uses. It takes a fifth of the time of a first build, as a single package that
// everything else waits for, and a fifth of the size of the program.
//
// Does not belong here: anything but what Gin needs to compile.
package codec

import (
	"errors"
	"io"
)

var errLeftOut = errors.New("MessagePack is left out of this program: see utils/nomsgpack")

// MsgpackHandle would hold options.
type MsgpackHandle struct{}

// Encoder refuses to encode.
type Encoder struct{}

// NewEncoder makes an Encoder.
func NewEncoder(io.Writer, *MsgpackHandle) *Encoder { return &Encoder{} }

// Encode fails.
func (*Encoder) Encode(any) error { return errLeftOut }

// Decoder refuses to decode.
type Decoder struct{}

// NewDecoder makes a Decoder.
func NewDecoder(io.Reader, *MsgpackHandle) *Decoder { return &Decoder{} }

// Decode fails.
func (*Decoder) Decode(any) error { return errLeftOut }
