package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page.html").Parse(pageHTML))

// html renders the page.
func (p *page) html() ([]byte, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("report.html: %w", err)
	}
	return b.Bytes(), nil
}

// Title, Read and Data are the parts of a picture that the template shows.
func (p picture) Title() string { return p.title }
func (p picture) Read() string  { return p.read }
func (p picture) Data() template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(p.data))
}

// Counts returns how many images of each class there are, as text.
func (p *page) Counts() string {
	cracks := 0
	for _, im := range p.Images {
		if im.Crack {
			cracks++
		}
	}
	return fmt.Sprintf("%s: %d cracked, %d sound", images(len(p.Images), p.Part), cracks, len(p.Images)-cracks)
}
