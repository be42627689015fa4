package collector

const (
	// granule is what every cell is a multiple of, in bytes.
	granule = 16
	// maxSmall is the largest cell of a span of spanLen bytes.
	maxSmall = 1024
	// maxCell is the largest cell of any size class; larger objects have a block of their own.
	maxCell = blockLen / 2
	// firstMedium is the first class whose span is a whole block.
	firstMedium = 20
	sizeClasses = 36
)

// cellLen is the length of a cell by size class: multiples of the granule up to 128, then what
// divides a span or a block with little left over.
var cellLen = [sizeClasses]uint32{
	16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 288, 336, 400, 448, 512, 672, 816, 1024,
	1360, 1632, 2048, 2512, 3120, 4096, 5040, 5952, 6544, 8192, 9360, 10912, 13104, 16384, 21840, 32768,
}

// smallClass is the size class by length in granules, rounded up.
var smallClass = [maxSmall/granule + 1]uint8{
	0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 13,
	14, 14, 14, 14, 15, 15, 15, 16, 16, 16, 16, 17, 17, 17, 17, 17, 17, 17, 17, 17, 17,
	18, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19,
}

// sizeClass is the class of an object of up to maxCell bytes.
func sizeClass(size uintptr) uint8 {
	if size <= maxSmall {
		return smallClass[(size+granule-1)/granule]
	}
	class := uint8(firstMedium)
	for uintptr(cellLen[class]) < size {
		class++
	}
	return class
}
