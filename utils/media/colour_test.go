package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"testing"
)

// profileOf is a colour profile with primaries (X, Y and Z of each) and a gamma; without primaries, for grey.
func profileOf(space string, gamma float64, primaries ...[3]float64) []byte {
	fixed := func(v float64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(int32(v*65536))) }
	xyz := func(v [3]float64) []byte {
		body := []byte("XYZ \x00\x00\x00\x00")
		for _, part := range v {
			body = append(body, fixed(part)...)
		}
		return body
	}
	curve := append([]byte("curv\x00\x00\x00\x00\x00\x00\x00\x01"), byte(int(gamma*256)>>8), byte(int(gamma*256)), 0, 0)
	type tag struct {
		name string
		body []byte
	}
	tags := []tag{{"wtpt", xyz([3]float64{0.9642, 1, 0.8249})}}
	if len(primaries) == 0 {
		tags = append(tags, tag{"kTRC", curve})
	}
	for i, p := range primaries {
		tags = append(tags, tag{"rgb"[i:i+1] + "XYZ", xyz(p)}, tag{"rgb"[i:i+1] + "TRC", curve})
	}
	at := 128 + 4 + 12*len(tags)
	table, content := binary.BigEndian.AppendUint32(nil, uint32(len(tags))), []byte{}
	for _, t := range tags {
		table = append(table, t.name...)
		table = binary.BigEndian.AppendUint32(table, uint32(at+len(content)))
		table = binary.BigEndian.AppendUint32(table, uint32(len(t.body)))
		content = append(content, t.body...)
	}
	header := make([]byte, 128)
	copy(header[8:], "\x02\x40\x00\x00mntr"+space+"XYZ ")
	copy(header[36:], "acsp")
	copy(header[68:], xyz([3]float64{0.9642, 1, 0.8249})[8:])
	binary.BigEndian.PutUint32(header, uint32(at+len(content)))
	return append(append(header, table...), content...)
}

var (
	primaryRed   = [3]float64{0.4360, 0.2225, 0.0139}
	primaryGreen = [3]float64{0.3851, 0.7169, 0.0971}
	primaryBlue  = [3]float64{0.1431, 0.0606, 0.7141}
	displayP3    = [][3]float64{{0.5151, 0.2412, -0.0011}, {0.2920, 0.6922, 0.0419}, {0.1571, 0.0666, 0.7841}}
)

func withJPEGProfile(data, profile []byte) []byte {
	return withSegment(data, markerAPP2, append([]byte("ICC_PROFILE\x00\x01\x01"), profile...))
}

func withPNGProfile(t *testing.T, data, profile []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err := w.Write(profile); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return pngWith(data, "iCCP", append([]byte("ours\x00\x00"), packed.Bytes()...))
}

func flat(c color.Color) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for y := range 32 {
		for x := range 32 {
			img.Set(x, y, c)
		}
	}
	return img
}

func grayOf(v uint8) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 32, 32))
	for i := range img.Pix {
		img.Pix[i] = v
	}
	return img
}

// What a browser shows is stored without the profile: colours are converted to sRGB.
func TestColourProfiles(t *testing.T) {
	swap := profileOf("RGB ", 2.2, primaryGreen, primaryRed, primaryBlue)
	p3 := profileOf("RGB ", 2.2, displayP3...)
	gray := profileOf("GRAY", 1)
	webp := fromBase64(t, webpShapes)[12:]
	half := color.NRGBA{254, 0, 0, 128}
	cases := []struct {
		name string
		data []byte
		want color.RGBA
	}{
		{"jpeg", withJPEGProfile(jpegOf(t, flat(color.RGBA{254, 0, 0, 255})), swap), color.RGBA{0, 254, 0, 255}},
		{"png", withPNGProfile(t, pngOf(t, flat(color.RGBA{254, 0, 0, 255})), swap), color.RGBA{0, 254, 0, 255}},
		{"webp", webpFile(64, 48, 0x20, chunk("ICCP", swap), webp), color.RGBA{30, 220, 30, 255}},
		{"transparent", withPNGProfile(t, pngOf(t, flat(half)), swap), color.RGBA{0, 127, 0, 128}},
		{"gray", withJPEGProfile(jpegOf(t, grayOf(128)), gray), color.RGBA{188, 188, 188, 255}},
		{"display p3", withJPEGProfile(jpegOf(t, flat(color.RGBA{200, 100, 100, 255})), p3), color.RGBA{218, 93, 96, 255}},
		{"broken", withJPEGProfile(jpegOf(t, flat(color.RGBA{254, 0, 0, 255})), swap[:len(swap)/2]), color.RGBA{254, 0, 0, 255}},
		{"of another kind", withJPEGProfile(jpegOf(t, flat(color.RGBA{254, 0, 0, 255})), gray), color.RGBA{254, 0, 0, 255}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			got, err := savePhoto(t.Context(), s, c.data)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{got.Name, got.Thumbnail} {
				have := color.RGBAModel.Convert(s.load(t, name).At(10, 10)).(color.RGBA)
				if !alike(have, c.want) {
					t.Errorf("%v, want %v", have, c.want)
				}
				if bytes.Contains(s.content(t, name), []byte("acsp")) {
					t.Error("the profile is still there")
				}
			}
		})
	}
}

func alike(a, b color.RGBA) bool {
	near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= 6 }
	return near(a.R, b.R) && near(a.G, b.G) && near(a.B, b.B) && near(a.A, b.A)
}

// The inks of a CMYK picture, with and without a profile.
func TestInks(t *testing.T) {
	// Inverted, as is usual: 255 is no ink. Cyan plus yellow is green.
	green := flatJPEG{w: 40, h: 24, sampling: []sampling{{1, 1}, {1, 1}, {1, 1}, {1, 1}}, adobe: true, colour: []int{-128, 127, -128, 127}}
	for name, data := range map[string][]byte{
		"no profile":        green.bytes(),
		"a profile of RGB":  withJPEGProfile(green.bytes(), profileOf("RGB ", 2.2, displayP3...)),
		"a broken profile":  withJPEGProfile(green.bytes(), []byte("acsp")),
		"sampled otherwise": flatJPEG{w: 40, h: 24, sampling: []sampling{{2, 2}, {1, 1}, {1, 1}, {2, 2}}, adobe: true, colour: green.colour}.bytes(),
	} {
		s := open(t, Limits{})
		avatar, err := saveAvatar(s, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if img := s.load(t, avatar); !near(img, 10, 10, color.RGBA{0, 255, 0, 255}) {
			t.Errorf("%s: %v", name, img.At(10, 10))
		}
	}
}
