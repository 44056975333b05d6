// A file server as a Go programmer would write it with the standard library.
//
//	GET /KEY             a file, whole or by range (http.ServeContent)
//	PUT /KEY             a file comes in: temporary file, fsync, rename
//	GET /zip?prefix=P/   all files below P as one ZIP, made while it is sent; stored, or with
//	                     &compress=deflate deflated at archive/zip's own level
//	GET /gzip/KEY        a file, or the one range that is asked for, as a gzip stream (BestSpeed)
//	POST /zip            {"urls": [{"url": …, "name": …}, …]} as one ZIP, stored
package main

import (
	"archive/zip"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

var (
	root   = flag.String("root", ".", "folder to serve")
	listen = flag.String("listen", "127.0.0.1:8080", "address")
	digest = flag.Bool("sha256", false, "digest uploads")
)

func main() {
	flag.Parse()
	files := http.FileServer(http.Dir(*root))
	http.HandleFunc("/zip", sendZip)
	http.HandleFunc("/gzip/", sendGzip)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			receive(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func receive(w http.ResponseWriter, r *http.Request) {
	target := filepath.Join(*root, filepath.Clean("/"+r.URL.Path))
	sum, err := store(target, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintln(w, sum)
}

func store(target string, body io.Reader) (string, error) {
	folder := filepath.Dir(target)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(folder, ".upload-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	var sum hash.Hash
	// Hides ReadFrom, which would copy through 32 KiB whatever the buffer.
	var into io.Writer = struct{ io.Writer }{file}
	if *digest {
		sum = sha256.New()
		into = io.MultiWriter(file, sum)
	}
	if _, err := io.CopyBuffer(into, body, make([]byte, 256<<10)); err != nil {
		return "", err
	}
	if err := file.Sync(); err != nil {
		return "", err
	}
	if err := os.Rename(file.Name(), target); err != nil {
		return "", err
	}
	if err := syncFolder(folder); err != nil || sum == nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func syncFolder(folder string) error {
	handle, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer handle.Close()
	return handle.Sync()
}

func sendZip(w http.ResponseWriter, r *http.Request) {
	fill := addFolder
	if r.Method == http.MethodPost {
		fill = addUrls
	}
	w.Header().Set("Content-Type", "application/zip")
	out := bufio.NewWriterSize(w, 256<<10)
	archive := zip.NewWriter(out)
	err := fill(archive, r)
	if err == nil {
		err = archive.Close()
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

func sendGzip(w http.ResponseWriter, r *http.Request) {
	file, err := os.Open(filepath.Join(*root, filepath.Clean(r.URL.Path[len("/gzip"):])))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	first, last, status := int64(0), info.Size()-1, http.StatusOK
	if wanted := r.Header.Get("Range"); wanted != "" {
		if _, err := fmt.Sscanf(wanted, "bytes=%d-%d", &first, &last); err != nil {
			http.Error(w, "Invalid range format", http.StatusBadRequest)
			return
		}
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, info.Size()))
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(packed, io.NewSectionReader(file, first, last-first+1))
	}
	if err == nil {
		err = packed.Close()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

func addFolder(archive *zip.Writer, r *http.Request) error {
	folder := filepath.Join(*root, filepath.Clean("/"+r.URL.Query().Get("prefix")))
	method := zip.Store
	if r.URL.Query().Get("compress") == "deflate" {
		method = zip.Deflate
	}
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return addFile(archive, method, filepath.Dir(folder), path, entry)
	})
}

func addFile(archive *zip.Writer, method uint16, base, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	if header.Name, err = filepath.Rel(base, path); err != nil {
		return err
	}
	header.Method = method
	member, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(member, file)
	return err
}

func addUrls(archive *zip.Writer, r *http.Request) error {
	var wanted struct {
		Urls []struct{ Url, Name string }
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		return err
	}
	for _, source := range wanted.Urls {
		if err := addUrl(archive, source.Url, source.Name); err != nil {
			return err
		}
	}
	return nil
}

func addUrl(archive *zip.Writer, url, name string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	member, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return err
	}
	_, err = io.Copy(member, answer.Body)
	return err
}
