// Checklog reads a log from a folder of tiles with Go's own implementation of transparency logs.
//
// Usage: checklog FOLDER VKEY. It opens FOLDER/checkpoint as a signed note, reads tiles through
// tlog.TileHashReader (which checks each against the root), proves every record and every older
// tree, and prints each proof as a line: "record N HASH..." or "tree SIZE ROOT HASH...", in hex.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/ioutil"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type folder string

func (f folder) Height() int { return height }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles reads tiles where C2SP tlog-tiles puts them: Go's path without the height.
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := ioutil.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// entries reads the entry bundles of a log of that size.
func (f folder) entries(size int64) ([][]byte, error) {
	var all [][]byte
	for n := int64(0); n<<height < size; n++ {
		tile := tlog.Tile{H: height, L: -1, N: n, W: 1 << height}
		if left := size - n<<height; left < 1<<height {
			tile.W = int(left)
		}
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
		data, err := ioutil.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
	}
	if int64(len(all)) != size {
		return nil, fmt.Errorf("%d entries in the bundles of a log of %d", len(all), size)
	}
	return all, nil
}

// head opens the checkpoint with the one key.
func head(path, vkey string) (tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	data, err := ioutil.ReadFile(path)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	copy(tree.Hash[:], root)
	return tree, err
}

func line(kind string, n int64, hashes []tlog.Hash) {
	words := []string{kind, strconv.FormatInt(n, 10)}
	for _, hash := range hashes {
		words = append(words, hex.EncodeToString(hash[:]))
	}
	fmt.Println(strings.Join(words, " "))
}

func main() {
	log.SetFlags(0)
	files := folder(os.Args[1])
	tree, err := head(filepath.Join(string(files), "checkpoint"), os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	reader := tlog.TileHashReader(tree, files)
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil || root != tree.Hash {
		log.Fatalf("root %v, not %v: %v", root, tree.Hash, err)
	}
	entries, err := files.entries(tree.N)
	if err != nil {
		log.Fatal(err)
	}
	for n, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(n), reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, int64(n), tlog.RecordHash(entry))
		}
		if err != nil {
			log.Fatalf("record %d: %v", n, err)
		}
		line("record", int64(n), proof)
	}
	for size := int64(1); size <= tree.N; size++ {
		old, err := tlog.TreeHash(size, reader)
		if err != nil {
			log.Fatalf("tree %d: %v", size, err)
		}
		proof, err := tlog.ProveTree(tree.N, size, reader)
		if err == nil {
			err = tlog.CheckTree(proof, tree.N, tree.Hash, size, old)
		}
		if err != nil {
			log.Fatalf("tree %d: %v", size, err)
		}
		line("tree", size, append([]tlog.Hash{old}, proof...))
	}
}
