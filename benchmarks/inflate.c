/* The floor of any counting: inflate every block of a BGZF file with libdeflate and check its CRC-32.
   cc -O3 inflate.c -o inflate -ldeflate && ./inflate x.bam */
#include <fcntl.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
    int file = open(argv[argc - 1], O_RDONLY);
    struct stat status;
    if (argc != 2 || file < 0 || fstat(file, &status)) return 2;
    size_t size = status.st_size, total = 0;
    unsigned char *data = mmap(0, size, PROT_READ, MAP_PRIVATE, file, 0);
    static unsigned char content[1 << 16];
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    for (size_t at = 0; at < size;) {
        unsigned char *block = data + at;
        size_t header = 12 + (block[10] | block[11] << 8), length = (block[16] | block[17] << 8) + 1, bytes = 0;
        uint32_t crc, claimed;
        memcpy(&crc, block + length - 8, 4);
        memcpy(&claimed, block + length - 4, 4);
        if (libdeflate_deflate_decompress(decompressor, block + header, length - header - 8, content, sizeof content, &bytes) ||
            bytes != claimed || libdeflate_crc32(0, content, bytes) != crc) {
            fprintf(stderr, "damaged block at byte %zu\n", at);
            return 1;
        }
        total += bytes;
        at += length;
    }
    printf("%zu\n", total);
    return 0;
}
