/* pack.c - see pack.h. The opaque types are zstd's contexts by other names. */
#include "store/pack.h"

#include <zstd.h>

struct packer *packer_create(int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();

    if (context != NULL)
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    return (struct packer *)context;
}

void packer_destroy(struct packer *packer)
{
    ZSTD_freeCCtx((ZSTD_CCtx *)packer);
}

struct unpacker *unpacker_create(void)
{
    return (struct unpacker *)ZSTD_createDCtx();
}

void unpacker_destroy(struct unpacker *unpacker)
{
    ZSTD_freeDCtx((ZSTD_DCtx *)unpacker);
}

size_t pack_bound(size_t bytes)
{
    return ZSTD_compressBound(bytes);
}

size_t pack(struct packer *packer, void *to, size_t room, const void *from, size_t bytes)
{
    size_t packed = ZSTD_compress2((ZSTD_CCtx *)packer, to, room, from, bytes);

    return ZSTD_isError(packed) || packed >= bytes ? 0 : packed;
}

bool unpack(struct unpacker *unpacker, void *to, size_t bytes, const void *from,
            size_t packed_bytes)
{
    return ZSTD_decompressDCtx((ZSTD_DCtx *)unpacker, to, bytes, from, packed_bytes) == bytes;
}
