package media

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"

	"github.com/kovidgoyal/imaging/prism/meta/icc"
)

// conversion converts colours of a profile to sRGB. Computing each pixel would take 15 seconds for a large photo, so
// only a grid of colours is computed, and the others are interpolated.
type conversion struct {
	channels, grid int // the grid's size in each channel
	table          [][3]float32
}

// grids are the table's sizes in each channel. For grey, it has all values.
var grids = [...]int{1: 256, 3: 33, 4: 17}

// readProfile prepares the conversion from a colour profile with the given number of channels. An unusable profile is
// an error; the picture is then treated as browsers do, as if it had none.
func readProfile(data []byte, channels int) (c conversion, err error) {
	defer func() {
		if fault := recover(); fault != nil { // how the library reports some broken profiles
			err = fmt.Errorf("colour profile: %v", fault)
		}
	}()
	profile, err := icc.NewProfileReader(bytes.NewReader(data)).ReadProfile()
	if err != nil {
		return c, err
	}
	space := profile.Header.DataColorSpace
	if want := map[icc.ColorSpace]int{icc.ColorSpaceGray: 1, icc.ColorSpaceRGB: 3, icc.ColorSpaceCMYK: 4}[space]; want != channels {
		return c, errors.New("colour profile: not for this picture")
	}
	if profile.IsSRGB() {
		return c, errors.New("colour profile: sRGB already")
	}
	pipeline, err := profile.CreateTransformerToSRGB(icc.RelativeColorimetricRenderingIntent, true, channels, true, true, true)
	if err != nil {
		return c, err
	}
	return tabulate(pipeline, channels), nil
}

// tabulate computes the grid. Its first channel changes fastest.
func tabulate(p *icc.Pipeline, channels int) conversion {
	c := conversion{channels: channels, grid: grids[channels]}
	size := 1
	for range channels {
		size *= c.grid
	}
	c.table = make([][3]float32, size)
	in, out := make([]float64, 4), make([]float64, 4)
	for i := range c.table {
		clear(in)
		for channel, rest := 0, i; channel < channels; channel, rest = channel+1, rest/c.grid {
			in[channel] = float64(rest%c.grid) / float64(c.grid-1)
		}
		p.TransformGeneral(out, in)
		c.table[i] = [3]float32{float32(out[0]), float32(out[1]), float32(out[2])}
	}
	return c
}

// at interpolates a colour between its neighbours in the grid. Channels are between 0 and 1.
func (c conversion) at(in [4]float32) (out [3]float32) {
	var step, index [4]int
	var part [4]float32
	for channel, stride := 0, 1; channel < c.channels; channel, stride = channel+1, stride*c.grid {
		place := min(1, in[channel]) * float32(c.grid-1)
		whole := min(int(place), c.grid-2)
		step[channel], index[channel], part[channel] = stride, whole*stride, place-float32(whole)
	}
	for corner := range 1 << c.channels {
		i, weight := 0, float32(1)
		for channel := range c.channels {
			i += index[channel]
			if corner>>channel&1 != 0 {
				i += step[channel]
				weight *= part[channel]
			} else {
				weight *= 1 - part[channel]
			}
		}
		if weight > 0 {
			colour := &c.table[i]
			out[0] += colour[0] * weight
			out[1] += colour[1] * weight
			out[2] += colour[2] * weight
		}
	}
	return out
}

// apply converts a picture in place. A pixel's four bytes are red, green, blue and alpha, or the four inks.
func (c conversion) apply(img *image.RGBA) {
	if c.table == nil {
		return
	}
	for i := 0; i+4 <= len(img.Pix); i += 4 {
		pix := (*[4]byte)(img.Pix[i:])
		opacity := pix[3]
		if c.channels == 4 {
			opacity = 255
		}
		if opacity == 0 {
			continue
		}
		most := float32(opacity) // colours are premultiplied by it
		in := [4]float32{float32(pix[0]) / most, float32(pix[1]) / most, float32(pix[2]) / most, float32(pix[3]) / most}
		for j, v := range c.at(in) {
			pix[j] = byte(max(0, min(1, v))*most + 0.5)
		}
		pix[3] = opacity
	}
}

// inksToRGB converts the inks of a CMYK picture that has no profile.
func inksToRGB(img *image.RGBA) {
	for i := 0; i+4 <= len(img.Pix); i += 4 {
		p := img.Pix[i : i+4 : i+4]
		p[0], p[1], p[2] = color.CMYKToRGB(p[0], p[1], p[2], p[3])
		p[3] = 255
	}
}
