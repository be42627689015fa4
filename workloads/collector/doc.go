// Package collector is the heap of a Polkadot runtime built by TinyGo: a mark and sweep collector on
// top of the host's allocator.
//
// On a Polkadot host the guest's heap belongs to the host: it puts a call's input there, the results
// of host functions, and whatever the guest asks for. The collectors that come with TinyGo take all
// memory above __heap_base for themselves and collide with it. This one asks the host, by
// ext_allocator_malloc_version_1, and gives back by ext_allocator_free_version_1.
//
// It is for TinyGo's -gc=custom and needs no change to the compiler. A program imports it:
//
//	import _ "lithify/collector"
//
// # How it works
//
// Memory comes from the host in blocks of 64 KiB, which are cut into spans of 4 KiB, and these into
// cells of one of 20 lengths; 16 longer ones, up to 32 KiB, have a block of their own kind, and what
// is longer still has a block to itself, of up to the 32 MiB that the host gives at once. A span has
// objects with pointers or objects without, never both. Three bitmaps say which cells are objects,
// which this cycle reached, and which of those are yet to be scanned. So an allocation is to find a
// bit and clear a cell, and the host is called once in some hundred times.
//
// A cycle marks from the stack and the globals, follows every word of objects with pointers that
// is an address in an object, and makes the marks the new set of objects. It uses no memory: the
// grey list goes through the spans. An address is found in a table with an entry for each 64 KiB of
// memory, in two loads at most. Blocks without objects go back to the host at once.
//
// A cycle begins when as much was allocated since the last as was live after it, at least 512 KiB.
// The collector never sees the limit of the heap: a host that has no memory left stops the guest.
// Bookkeeping takes 3 % of the blocks, and four bytes for each 64 KiB of memory.
//
// # What it does not do
//
// Objects do not move. Words that happen to look like addresses keep objects alive. Finalizers never
// run. There is one thread, as on every Polkadot host.
package collector
