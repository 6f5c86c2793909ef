package testsite

import _ "embed"

// Video is a clip of three seconds, 320 by 180, that browsers play: a square goes
// over a gradient. ffmpeg made it:
//
//	ffmpeg -f lavfi -i gradients=s=320x180:r=10:d=3:c0=0x2a9d8f:c1=0x264653:x0=0:y0=0:x1=320:y1=180:speed=0.02 \
//	  -f lavfi -i color=c=0xfafaf0:s=32x32:r=10:d=3 -filter_complex "[0][1]overlay=x='mod(8*n,288)':y=74,format=yuv420p" \
//	  -c:v libx264 -preset veryslow -crf 30 -movflags +faststart video.mp4
//
//go:embed video.mp4
var Video []byte
