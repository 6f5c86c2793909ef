package input

import (
	"bufio"
	"io"
	"math"
	"mime/multipart"
	"net/url"
	"strings"

	"tokentube/utils/apperr"
)

// readMultipart handles the parts in whatever order they arrive. The standard library's FormFile would first write them
// all to temporary files. Faults of a file are reported together with the others, after the fields have been read.
func readMultipart(body io.Reader, boundary string, dst any, files Files) error {
	if boundary == "" {
		return apperr.New(apperr.Malformed, "The multipart form has no boundary.")
	}
	metered := &meter{r: io.MultiReader(body, strings.NewReader("\r\n"), cutOff{})}
	reader := multipart.NewReader(metered, boundary)
	form := parts{files: files, seen: map[string]bool{}, values: url.Values{}, left: TextLimit}
	for n := 0; ; n++ {
		metered.left = headLimit + readAhead
		part, err := reader.NextPart()
		if err == io.EOF {
			finish(body)
			return apperr.Join(form.faults, setFields(dst, form.values))
		}
		if metered.over != nil {
			return metered.over // whatever error the reader made of it
		}
		if err != nil {
			return broken(err)
		}
		metered.left = math.MaxInt64 // the content of a part has its own bounds
		if n == partLimit || len(part.FormName()) > nameLimit {
			return apperr.New(apperr.TooLarge, "Send at most %d fields at once, with names of at most %d bytes.", partLimit, nameLimit)
		}
		if err := form.take(part); err != nil {
			return err
		}
	}
}

// parts is what has been read of a form so far.
type parts struct {
	files  Files
	seen   map[string]bool // the files received
	values url.Values
	left   int64 // bytes that text may still take
	faults error // of files
}

// take reads a part. It fails if the rest of the form isn't worth reading.
func (p *parts) take(part *multipart.Part) error {
	if save, isFile := p.files[part.FormName()]; isFile {
		return p.file(part, save)
	}
	return p.text(part)
}

func (p *parts) file(part *multipart.Part, save func(io.Reader) error) error {
	err := readFile(part, save, p.seen)
	if !apperr.OfFields(err) {
		return err
	}
	p.faults = apperr.Join(p.faults, err)
	// Even of a rejected file: browsers show no response before they have sent everything.
	if _, err := io.Copy(io.Discard, part); err != nil {
		return broken(err)
	}
	return nil
}

func (p *parts) text(part *multipart.Part) error {
	text, err := io.ReadAll(io.LimitReader(part, p.left+1))
	if err != nil {
		return broken(err)
	}
	name := part.FormName()
	// Names count too, as in a form: a million empty parts are not free.
	if p.left -= int64(len(name) + len("=") + len(text)); p.left < 0 {
		if part.FileName() != "" {
			return apperr.New(apperr.TooLarge, "No file can be sent in the field “%s”.", name)
		}
		return tooMuchText()
	}
	p.values[name] = append(p.values[name], string(text))
	return nil
}

// finish reads the little that may follow the last part. Only after the end of the body does the server start to notice
// when the client disconnects, and the deadline of the upload end.
func finish(body io.Reader) { _, _ = io.CopyN(io.Discard, body, TextLimit) }

// Limits for everything around the content of a multipart form. Our own forms have a dozen fields.
const (
	partLimit = 100
	nameLimit = 100
	headLimit = 8 << 10 // of a part, including its boundary
	readAhead = 8 << 10 // more than the standard library's buffer
)

// meter bounds what is read between the contents of two parts. The standard library would read a header of up to 10 MB.
type meter struct {
	r    io.Reader
	left int64
	over error
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		m.over = apperr.New(apperr.TooLarge, "The headers of a field in the multipart form are larger than %d kB.", headLimit>>10)
		return 0, m.over
	}
	n, err := m.r.Read(p)
	m.left -= int64(n)
	return n, err
}

// cutOff follows the body. The standard library accepts a form that ends within the header of a part as complete; with
// this appended, it doesn't.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// readFile passes one file on. Browsers send an empty part for a file field that was left empty; that doesn't count as
// a file.
func readFile(part *multipart.Part, save func(io.Reader) error, seen map[string]bool) error {
	content := bufio.NewReader(part)
	if _, err := content.Peek(1); err == io.EOF {
		if part.FileName() == "" {
			return nil
		}
		return apperr.InvalidField(part.FormName(), "The file is empty.")
	} else if err != nil {
		return broken(err)
	}
	if seen[part.FormName()] {
		return apperr.InvalidField(part.FormName(), "Send one file.")
	}
	seen[part.FormName()] = true
	source := &source{r: content}
	err := save(source)
	if err == nil && source.err == nil {
		_, _ = io.Copy(io.Discard, source) // discards what save didn't read
	}
	if source.err != nil {
		return broken(source.err) // the client's fault, whatever error the reader made of it
	}
	return err
}

// source remembers the error of reading from the client.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
