package respond

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tokentube/utils/autolink"
	"tokentube/utils/input"
	"tokentube/utils/isolate"
)

// Funcs are the functions that templates may call. The asset function returns the URL of a static file; now is used to
// compute ages.
func Funcs(asset func(string) string, now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"asset":     asset,
		"icon":      func(name string) template.HTML { return icon(asset, name) },
		"timeTag":   func(t time.Time) template.HTML { return timeTag(t, now()) },
		"iso":       iso,
		"fullTime":  fullTime,
		"short":     short,
		"plural":    plural,
		"clock":     clock,
		"dict":      dict,
		"linked":    linked, // for multi-line text written by users
		"lines":     lines,  // for such text inside a link, or where nothing may be linked
		"searched":  searched,
		"within":    within,
		"fieldName": fieldName,
		"size":      input.Size,
	}
}

// linked renders a text with its links. The renderer only isolates values that are not HTML yet.
func linked(text string) template.HTML {
	return eachLine(text, func(line string) string { return string(autolink.HTML(line, isolate.Text)) })
}

// lines renders a text without links.
func lines(text string) template.HTML {
	return eachLine(text, func(line string) string { return template.HTMLEscapeString(isolate.Text(line)) })
}

// eachLine renders a text as HTML. Each of several lines becomes an element, so that its own letters determine its
// direction; in an element with several lines, the first one would determine it for all.
func eachLine(text string, show func(line string) string) template.HTML {
	if !strings.Contains(text, "\n") {
		return template.HTML(show(text)) // #nosec G203 -- escaped
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			line = "<br>"
		} else {
			line = show(line)
		}
		b.WriteString(`<span class="line" dir="auto">` + line + `</span>`)
	}
	return template.HTML(b.String()) // #nosec G203 -- escaped
}

// within is the value of aria-current for a link in the menu: set if the page is the link's target or below it.
func within(section, page string) string {
	page, _, _ = strings.Cut(page, "?")
	if page == section {
		return "page"
	}
	return strconv.FormatBool(section != "/" && strings.HasPrefix(page, section+"/"))
}

// fieldName is the name of a field in a summary of a form's faults.
func fieldName(field string) string {
	switch field {
	case "fullName":
		return "Your name"
	case "identifier":
		return "Username or email"
	case "oldPassword", "currentPassword":
		return "Current password"
	case "newPassword":
		return "New password"
	case "confirmPassword":
		return "Confirm new password"
	case "videoFile":
		return "Video"
	case "coverImage":
		return "Banner"
	case "avatar":
		return "Picture"
	case "alt":
		return "Description of the photo"
	case "content":
		return "Text"
	case "":
		return ""
	}
	return strings.ToUpper(field[:1]) + field[1:]
}

// icon renders an icon of the sprite. It is decorative: the text next to it, or the button's label, conveys the
// meaning.
func icon(asset func(string) string, name string) template.HTML {
	// #nosec G203 -- both values are ours, and escaped
	return template.HTML(fmt.Sprintf(`<svg class="icon" aria-hidden="true" focusable="false"><use href="%s#%s"></use></svg>`,
		template.HTMLEscapeString(asset("icons.svg")), template.HTMLEscapeString(name)))
}

func iso(t time.Time) string      { return t.UTC().Format(time.RFC3339) }
func fullTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// timeTag renders a time as its age. It is a single function for speed, because a page has many.
func timeTag(t, now time.Time) template.HTML {
	// #nosec G203 -- digits and words of ours
	return template.HTML(`<time datetime="` + iso(t) + `" title="` + fullTime(t) + `">` + ago(t, now) + `</time>`)
}

// ago is how long before now t was, in the largest whole unit.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{
		{365 * 24 * time.Hour, "year"}, {30 * 24 * time.Hour, "month"}, {7 * 24 * time.Hour, "week"},
		{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"},
	} {
		if n := int64(d / unit.length); n > 0 {
			return plural(n, unit.name, unit.name+"s") + " ago"
		}
	}
	return "just now"
}

// short formats a count in about four characters: 999, 1.2K, 15K, 3.4M.
func short(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if n < unit.size {
			continue
		}
		tenths := n * 10 / unit.size
		if tenths >= 100 || tenths%10 == 0 {
			return strconv.FormatInt(tenths/10, 10) + unit.name
		}
		return fmt.Sprintf("%d.%d%s", tenths/10, tenths%10, unit.name)
	}
	return strconv.FormatInt(n, 10)
}

// plural formats a shortened count with the right form of its noun.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return short(n) + " " + many
}

// clock formats a number of seconds like a player: 0:07, 12:30, 1:02:03.
func clock(seconds float64) string {
	s := int(seconds + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// searched is the query of the search page at this path: the box in the header keeps it.
func searched(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Path != "/search" {
		return ""
	}
	return u.Query().Get("q")
}

// dict passes several named values to a partial.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict takes names and values in pairs")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: name %d is no string", i/2+1)
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
