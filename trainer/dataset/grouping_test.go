package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tirewatch/internal/hint"
)

// setOf makes a set of files without content, which Open does not read.
func setOf(t testing.TB, manifest string, files ...string) *Set {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		put(t, dir, f, "")
	}
	if manifest != "" {
		put(t, dir, ManifestName, manifest)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// groupsOf lists the groups and folds of the images in order.
func groupsOf(s *Set) string {
	var words []string
	for _, it := range s.all() {
		words = append(words, strings.TrimSuffix(it.Group+"/"+it.Fold, "/"))
	}
	return strings.Join(words, " ")
}

var four = []string{"crack/a-1.jpg", "crack/a-2.jpg", "normal/b-1.jpg", "normal/c.jpg"}

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		name     string
		manifest string
		files    []string
		grouping Grouping
		want     string // groups of the images, by path
		says     string
	}{
		{"the first known column", "file,class,views_of_one_place,tire\ncrack/a-1.jpg,crack,7,1\ncrack/a-2.jpg,crack,7,1\nnormal/b-1.jpg,normal,8,1\nnormal/c.jpg,normal,,2\n",
			four, Grouping{}, "7 7 8 ", "3 groups by column views_of_one_place of manifest.csv"},
		{"another column, and folds", "Tire ,File,FOLD\n1,crack/a-1.jpg,0\n2,crack\\a-2.jpg,1\n1,./normal/b-1.jpg,0\n3,normal/c.jpg,1\n",
			four, Grouping{Column: "tire", Fold: "fold"}, "1/0 2/1 1/0 3/1", "3 groups by column tire of manifest.csv"},
		{"as a spreadsheet writes it", "\xef\xbb\xbffile;group\r\ncrack/a-1.jpg;x\r\ncrack/a-2.jpg;x\r\nnormal/b-1.jpg;y\r\nnormal/c.jpg;\r\n",
			four, Grouping{}, "x x y ", "3 groups by column group of manifest.csv"},
		{"a variant has the group of its origin", "file,group\ncrack/a.jpg,x\nnormal/b.jpg,y\n",
			[]string{"crack/a.jpg", "crack/a~aug1.jpg", "normal/b.jpg"}, Grouping{}, "x x y", "2 groups by column group of manifest.csv"},
		{"a pattern before the manifest", "file,group\ncrack/a-1.jpg,x\n",
			four, Grouping{Pattern: regexp.MustCompile(`/(\w)-`)}, "a a b ", `3 groups by the pattern "/(\\w)-"`},
		{"folds from a manifest without groups", "file,fold\ncrack/a-1.jpg,0\ncrack/a-2.jpg,0\nnormal/b-1.jpg,0\nnormal/c.jpg,1\n",
			four, Grouping{Fold: "fold"}, "/0 /0 /0 /1", ""},
		{"names of tiles", "", []string{"crack/IMG~tile001.png", "normal/IMG~tile002.png", "normal/c.jpg"},
			Grouping{}, "crack/IMG~tile001.png crack/IMG~tile001.png ", "2 groups by the file names of stations and tiles"},
		{"nothing known", "", four, Grouping{}, "   ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := setOf(t, c.manifest, c.files...)
			g, err := s.Group(c.grouping)
			if err != nil {
				t.Fatal(err)
			}
			says := ""
			if g != nil {
				says = g.String()
			}
			if got := groupsOf(s); got != c.want || says != c.says || s.Groups() != g {
				t.Errorf("%q, %s\nwant %q, %s", got, says, c.want, c.says)
			}
		})
	}
}

// Every mistake names counts and says what to do.
func TestGroupRefuses(t *testing.T) {
	const manifest = "file,group\ncrack/a-1.jpg,x\ncrack/a-2.jpg,x\nnormal/b-1.jpg,y\nnormal/c.jpg,z\n"
	for _, c := range []struct {
		name     string
		manifest string
		grouping Grouping
		want     string
	}{
		{"images without a row", "file,group\ncrack/a-1.jpg,x\nnormal/c.jpg,z\n", Grouping{}, "does not name 2 of 4 images, for example crack/a-2.jpg"},
		{"a row without its image", manifest + "normal/d.jpg,z\ncrack/gone.jpg,x\n", Grouping{}, "names 2 files that are not images of the data set, for example crack/gone.jpg"},
		{"two rows that differ", manifest + "crack/a-1.jpg,y\n", Grouping{}, "names crack/a-1.jpg in two different rows"},
		{"one group for all", strings.NewReplacer(",y", ",x", ",z", ",x").Replace(manifest), Grouping{}, "column group of manifest.csv puts all 4 images of "},
		{"a column that is not there", manifest, Grouping{Column: "tire"}, "has no column tire, only file and group"},
		{"no column of files", "name,group\na,x\n", Grouping{}, "has no column file, path or image, only name and group"},
		{"no fold column", manifest, Grouping{Fold: "fold"}, "has no column fold, only file and group"},
		{"no manifest", "", Grouping{Fold: "fold"}, "has no manifest.csv"},
		{"an empty manifest", "\n", Grouping{}, "the file is empty"},
		{"a torn row", "file,group\ncrack/a-1.jpg\n", Grouping{}, "record on line 2: wrong number of fields"},
		{"a pattern that matches nothing", "", Grouping{Pattern: regexp.MustCompile(`(IMG_\d+)`)}, `the pattern "(IMG_\\d+)" matches none of 4 images, for example crack/a-1.jpg`},
		{"a pattern that matches everything", "", Grouping{Pattern: regexp.MustCompile(`(jpg)`)}, `the pattern "(jpg)" puts all 4 images of `},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := setOf(t, c.manifest, four...)
			_, err := s.Group(c.grouping)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if errors.As(err, new(*GroupError)) && hint.Of(err) == "" {
				t.Errorf("%v: no hint", err)
			}
		})
	}
}

// An ID changes with the group of one image, and only then.
func TestGroupsID(t *testing.T) {
	id := func(manifest string) string {
		g, err := setOf(t, manifest, four...).Group(Grouping{})
		if err != nil {
			t.Fatal(err)
		}
		return g.ID()
	}
	const one = "file,group\ncrack/a-1.jpg,x\ncrack/a-2.jpg,x\nnormal/b-1.jpg,y\nnormal/c.jpg,z\n"
	if a := id(one); a != id(one+"\n") || a == id(strings.Replace(one, "2.jpg,x", "2.jpg,z", 1)) {
		t.Errorf("id %s", a)
	}
}

// Groups on both sides of a set that somebody divided by hand are counted.
func TestGroupsInTwoParts(t *testing.T) {
	s := setOf(t, "", "training/crack/a-1.jpg", "training/normal/b-1.jpg", "testing/crack/a-2.jpg", "testing/normal/c-1.jpg")
	g, err := s.Group(Grouping{Pattern: regexp.MustCompile(`/(\w)-`)})
	if err != nil || g.Count != 3 || g.Shared != 1 {
		t.Errorf("%+v, %v", g, err)
	}
}

// Twelve different-looking images in groups of three, some with both classes. Every split keeps a
// group on one side, and the new data set knows its groups. So does an enlarged one.
func TestSplitKeepsGroupsTogether(t *testing.T) {
	dir := t.TempDir()
	manifest := "file,group,fold\n"
	for i := range 24 {
		name := fmt.Sprintf("%s/%02d.png", Classes[(i/4+i)%2], i)
		save(t, dir, "set/"+name, photograph(uint64(i)))
		manifest += fmt.Sprintf("%s,tire %d,%d\n", name, i/3, i%2)
	}
	put(t, dir, "set/"+ManifestName, manifest)
	open := func(name string) *Set {
		t.Helper()
		s, err := Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if g, err := s.Group(Grouping{Fold: "fold"}); err != nil || g.Count != 8 || g.Shared != 0 {
			t.Fatalf("%s: %+v, %v", name, g, err)
		}
		return s
	}
	for seed := range uint64(4) {
		s := open("set")
		train, val, err := validation(s, seed, 0.25)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range val {
			if slices.ContainsFunc(train, func(it Item) bool { return it.Group == v.Group }) {
				t.Errorf("seed %d: %s is on both sides", seed, v.Group)
			}
		}
	}
	if _, err := open("set").Split(t.Context(), filepath.Join(dir, "split"), SplitOptions{Seed: 1, Test: 0.25}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := open("split").Enlarge(t.Context(), filepath.Join(dir, "more"), 2, named, nil); err != nil {
		t.Fatal(err)
	}
	if s := open("more"); len(s.Train) <= 24 {
		t.Errorf("%d training images", len(s.Train))
	}
	data, err := os.ReadFile(filepath.Join(dir, "split", ManifestName))
	if err != nil || !strings.HasPrefix(string(data), "file,group,fold\ntraining/") || strings.Count(string(data), "\n") != 25 {
		t.Errorf("%v\n%s", err, data)
	}
}
