// Tries to listen for connections, and says what became of it.
package main

import "net"

func main() {
	testConnection()
}

//export _test_connection
func testConnection() {
	listener, err := net.Listen("tcp", "localhost:3000")
	if err != nil {
		println("Error connecting:", err.Error())
		return
	}
	println("Listening")
	listener.Close()
}
