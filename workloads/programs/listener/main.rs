//! Tries to listen for connections, and says what became of it.

use std::net::TcpListener;

fn main() {
    match TcpListener::bind("127.0.0.1:3000") {
        Ok(_) => println!("Listening"),
        Err(error) => println!("Error connecting: {error}"),
    }
}
