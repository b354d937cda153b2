// go-containerregistry's registry with the referrers API on and its blobs on disk; prints the address it listens at.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	blobs := registry.WithBlobHandler(registry.NewDiskBlobHandler(os.Args[2]))
	log.Fatal(http.Serve(listener, registry.New(registry.WithReferrersSupport(true), blobs)))
}
