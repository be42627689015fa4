// Encrypts standard input by AES-256 in CBC mode, with the key and the initialisation vector of its
// arguments, shows it in base64, and decrypts it again.
package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"os"
)

func main() {
	if len(os.Args) != 3 || len(os.Args[1]) != 32 || len(os.Args[2]) != aes.BlockSize {
		fail("give a key of 32 bytes and an initialisation vector of 16")
	}
	key, vector := []byte(os.Args[1]), []byte(os.Args[2])
	text := input()
	secret := encrypt(text, key, vector)
	println(base64.StdEncoding.EncodeToString(secret))
	again := decrypt(secret, key, vector)
	if !bytes.Equal(again, text) {
		fail("the text has changed")
	}
	println(string(again))
}

func input() []byte {
	var text bytes.Buffer
	if _, err := text.ReadFrom(os.Stdin); err != nil {
		fail(err.Error())
	}
	return text.Bytes()
}

func encrypt(text, key, vector []byte) []byte {
	padding := aes.BlockSize - len(text)%aes.BlockSize
	padded := append(bytes.Clone(text), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block(key), vector).CryptBlocks(padded, padded)
	return padded
}

func decrypt(secret, key, vector []byte) []byte {
	text := bytes.Clone(secret)
	cipher.NewCBCDecrypter(block(key), vector).CryptBlocks(text, text)
	return text[:len(text)-int(text[len(text)-1])]
}

func block(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		fail(err.Error())
	}
	return block
}

func fail(message string) {
	println(message)
	os.Exit(1)
}
