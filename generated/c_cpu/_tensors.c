/* Tensors: where many of them lie in memory, and how, read in one call: through DLPack's exchange API, and of tensors that
 * are known through torch's C interface, which is ten times as fast. It runs under Python's lock, and counts no references:
 * the lists outlive the call. */
#include <stddef.h>
#include <stdint.h>

/* struct DLTensor of DLPack 1. */
struct dl_tensor {
    char *data;
    int32_t device_type, device_number, axes;
    uint8_t kind, bits;
    uint16_t lanes;
    const int64_t *lengths, *strides;
    uint64_t offset;
};

/* What is called of Python and of torch. address: may be missing; it takes what a tensor's object has at `inner`. */
struct python {
    void *(*item)(void *list, ptrdiff_t position);
    int (*describe)(void *tensor, struct dl_tensor *described);
    void (*forget_error)(void);
    int (*address)(void *inner, void **address);
    int64_t inner;
};

/* What is known of tensors: their objects, their addresses and, for all in turn, devices, dtypes, lengths, strides. */
struct known {
    void *objects;
    int64_t *addresses, *words, count, room;
};

/* Keeps a value, or says whether it is the one that was kept. */
static int same(int64_t *at, int64_t value, int is_known)
{
    if (is_known)
        return *at == value;
    *at = value;
    return 1;
}

/* Whether these are the tensors that are known, at the same addresses. */
static int stayed(const struct python *python, void *tensors, const struct known *known)
{
    for (int64_t k = 0; k < known->count; k++) {
        void *tensor = python->item(tensors, k), *address;
        if (tensor != python->item(known->objects, k) || python->address((char *)tensor + python->inner, &address))
            return 0;
        if ((int64_t)(intptr_t)address != known->addresses[k])
            return 0;
    }
    return 1;
}

/* Whether these tensors are as is known, or could be noted: each can be described and used where it lies. Objects and
 * addresses are compared as well if they should not have moved; `is_new` notes all, else addresses are noted. */
int read_tensors(const struct python *python, void *tensors, const struct known *known, int is_new, int has_moved)
{
    int64_t used = 0;
    if (!is_new && !has_moved && python->address)
        return stayed(python, tensors, known);
    for (int64_t k = 0; k < known->count; k++) {
        void *tensor = python->item(tensors, k);
        struct dl_tensor x;
        if (!is_new && !has_moved && tensor != python->item(known->objects, k))
            return 0;
        if (python->describe(tensor, &x)) {
            python->forget_error();
            return 0;
        }
        if (used + 2 + 2 * x.axes > known->room)
            return 0;
        int64_t *words = known->words + used, elements = 1;
        int is_same = same(words, (int64_t)x.device_type << 32 | x.device_number, !is_new);
        is_same &= same(words + 1, (int64_t)x.axes << 32 | x.lanes << 16 | x.bits << 8 | x.kind, !is_new);
        for (int32_t axis = 0; axis < x.axes; axis++) {
            is_same &= same(words + 2 + 2 * axis, x.lengths[axis], !is_new);
            is_same &= same(words + 3 + 2 * axis, x.strides[axis], !is_new);
            elements *= x.lengths[axis];
        }
        int64_t address = (int64_t)(intptr_t)(x.data + x.offset);
        is_same &= same(known->addresses + k, address, !is_new && !has_moved);
        if (!is_same || (elements && (address == 0 || address % (x.bits / 8))))
            return 0;
        used += 2 + 2 * x.axes;
    }
    return used == known->room;
}
