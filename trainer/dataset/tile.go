package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Tiles of one photograph show one tire, and neighbours overlap, so a split keeps them together.
// The name of a tile says what it was cut from (`tirewatch dataset cut` writes it). So the tiles
// can be sorted into any folders:
//
//	tiles/normal/IMG_0001~tile045.png     from IMG_0001.jpg
//	tiles/crack/IMG_0001~tile072.png
const tileMark = "~tile"

// TileName returns the name of a tile of a photograph.
func TileName(photograph string, number int) string {
	name := filepath.Base(photograph)
	return fmt.Sprintf("%s%s%03d.png", strings.TrimSuffix(name, filepath.Ext(name)), tileMark, number)
}

// TileOf returns the name, without folder and extension, of the photograph that a tile was cut
// from. ok is false for other files.
func TileOf(path string) (photograph string, ok bool) {
	photograph, _, ok = strings.Cut(filepath.Base(path), tileMark)
	return photograph, ok && photograph != ""
}

// tires returns the photographs that have at least two tiles, as indices of photos.
func tires(photos []photo) (found [][]int) {
	of := make(map[string][]int)
	for i, p := range photos {
		if name, ok := TileOf(p.item.Path); ok {
			of[name] = append(of[name], i)
		}
	}
	for _, tiles := range of {
		if len(tiles) > 1 {
			found = append(found, tiles)
		}
	}
	slices.SortFunc(found, func(a, b []int) int { return a[0] - b[0] })
	return found
}
