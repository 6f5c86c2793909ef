package media

import "tokentube/utils/apperr"

// What browsers can play, which is less than what a format allows. All of them play 8 bits per colour and 4:2:0, which
// is what cameras record; editing programs can also export what only their own player supports.

const (
	advice       = "Export the video as MP4 with H.264 (High profile, 8 bit, 4:2:0) or AV1, or as WebM."
	soundAdvice  = "Export the video with AAC sound as MP4, or with Opus sound as WebM."
	spsProfileAt = 9 // of the first parameter set, in "avcC"
)

func refuse(message string) error { return apperr.New(apperr.UnsupportedMedia, "%s", message) }

func unplayable(codec string) error {
	switch codec {
	case "hvc1", "hev1", "dvh1", "dvhe":
		return refuse("Most browsers can't play HEVC (H.265). Export the video as MP4 with H.264 or AV1, or as WebM.")
	case "":
		return refuse("The file contains only sound. Upload a video.")
	}
	return refuse("Browsers can't play this kind of video. Export it as MP4 with H.264 or AV1, or as WebM.")
}

func unplayableSound() error {
	return refuse("Browsers can't play the sound of this video. " + soundAdvice)
}

// checkH264 reads "avcC" (ISO/IEC 14496-15 §5.3.3.1). Decoders use the profile in the parameter set, which avcC
// repeats.
func checkH264(config []byte) error {
	if len(config) < 7 || config[0] != 1 {
		return damagedVideo()
	}
	profiles := []byte{config[1]}
	if len(config) > spsProfileAt && config[5]&31 > 0 {
		profiles = append(profiles, config[spsProfileAt])
	}
	for _, profile := range profiles {
		switch profile {
		case 66, 77, 88, 100: // Baseline, Main, Extended, High
		case 110, 122, 244, 44: // High 10, High 4:2:2, High 4:4:4 Predictive, CAVLC 4:4:4 Intra
			return refuse("Firefox and Safari can't play H.264 with 10 bit colours, 4:2:2 or 4:4:4. " + advice)
		default:
			return refuse("Browsers can't play this profile of H.264. " + advice)
		}
	}
	return nil
}

// checkAV1 reads "av1C", which WebM has too. The Main profile is 8 and 10 bit 4:2:0; the others are 4:2:2, 4:4:4 and 12
// bit.
func checkAV1(config []byte) error {
	if len(config) < 4 || config[0] != 0x81 {
		return damagedVideo()
	}
	if config[1]>>5 != 0 {
		return refuse("Firefox and Safari can't play AV1 with 12 bit colours, 4:2:2 or 4:4:4. " + advice)
	}
	return nil
}

// checkVP9 reads the first byte of a frame: profiles 0 and 2 are 4:2:0, the others 4:2:2 and 4:4:4.
func checkVP9(frame byte) error {
	if frame>>6 != 2 {
		return errStructure
	}
	if frame&0x20 != 0 {
		return refuse("Safari can't play VP9 in 4:2:2 or 4:4:4. Export the video in 4:2:0.")
	}
	return nil
}

// checkMP4Sound accepts the sound that browsers play in MP4: AAC, MP3, Opus and FLAC. For "mp4a", "esds" says which it
// is.
func checkMP4Sound(codec string, config []byte) error {
	switch codec {
	case "Opus", "fLaC", ".mp3":
		return nil
	case "mp4a":
		format, object := mp4aFormat(config)
		switch format {
		case 0x69, 0x6b: // MP3
			return nil
		case 0x66, 0x67, 0x68: // AAC of MPEG-2
			return nil
		case 0x40: // AAC Main, LC, SSR, LTP, and HE in its two versions; not, say, USAC
			if object >= 1 && object <= 5 || object == 29 {
				return nil
			}
		}
	}
	return unplayableSound()
}

// mp4aFormat reads "esds" (ISO/IEC 14496-1 §7.2.6): the object type and, for AAC, the audio object type. Zero means
// unknown.
func mp4aFormat(esds []byte) (format, object byte) {
	if len(esds) < 4 {
		return 0, 0
	}
	es, _ := descriptor(esds[4:], 3)
	if len(es) < 3 {
		return 0, 0
	}
	flags, es := es[2], es[3:]
	for _, optional := range []byte{0x80, 0x20} { // two bytes each
		if flags&optional != 0 {
			es = es[min(2, len(es)):]
		}
	}
	config, _ := descriptor(es, 4)
	if len(config) < 13 {
		return 0, 0
	}
	own, ok := descriptor(config[13:], 5)
	if !ok || len(own) == 0 {
		return config[0], 0
	}
	return config[0], own[0] >> 3
}

// descriptor returns the body of the descriptor at the start of b, if it has the tag.
func descriptor(b []byte, tag byte) (body []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, false
	}
	size, b := 0, b[1:]
	for i := range 4 {
		if i >= len(b) {
			return nil, false
		}
		size = size<<7 | int(b[i]&0x7f)
		if b[i]&0x80 == 0 {
			return b[i+1:][:min(size, len(b)-i-1)], true
		}
	}
	return nil, false
}

// checkWaste rejects a file that is mostly neither picture nor sound: a hiding place for other data, not a video.
// Indexes, covers and what cameras add are far smaller than the limit.
func checkWaste(other, media int64) error {
	if other > 8<<20 && other > media {
		return damagedVideo()
	}
	return nil
}
