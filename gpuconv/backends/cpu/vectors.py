"""Weighted sums of one tile of outputs, held in vector registers: what the compiled loops of this folder are made of.

LLVM's own vectoriser keeps no sums in registers across a loop over taps, and gives up on many source rows that might
overlap; so these few innermost loops are written out as instructions. They take plain addresses in bytes, hence any
strides and any mixture of source rows; `kind` is the dtype of samples and taps.

Every output is summed in one order, wherever in a tile it stands: taps in ascending order within groups of
`group_length`, groups in ascending order. So neither tiles nor bands nor threads show in the bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir

from gpuconv.backends.cpu.instructions import INDEX, caller, element_of, external, instruction

# 512-bit registers where the processor has them: 32 of them, which the tiles below are sized for. The others have 16.
REGISTER_BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32
# Vectors of a tile along a line: eight sums in flight hide the four to five cycles of a multiply-add.
LINE_VECTORS = 8
# Output rows and vectors of a tile across lines: a sample loaded once meets four taps.
ROWS = 4
# Taps of a line that share their loads where samples are neighbours. A load that is not aligned crosses from one line
# of the cache into the next and costs two; half of the samples are therefore shifted together from registers, which
# other units of the processor do. All of them loaded: 34e9 multiply-adds a second and core (65 taps, float32, Zen 4),
# half of them 44e9, none 35e9.
SHARING = 4
ROW_VECTORS = 2 if REGISTER_BYTES == 64 else 1


class Emitter:
    """Writes the instructions of one tile: `rows` times `vectors` sums of `lanes` samples."""

    def __init__(self, builder: Any, kind: Any, taps: Any, vectors: int, lanes: int) -> None:
        self.builder = builder
        self.element = element_of(kind)
        self.is_float = kind.kind == "f"
        self.width = kind.itemsize
        self.lanes = lanes or REGISTER_BYTES // self.width
        self.vectors = vectors
        self.vector = ir.VectorType(self.element, self.lanes)
        self.taps = builder.inttoptr(taps, self.element.as_pointer())
        # Negative zero is what changes no sum, not even one of negative zeros.
        self.nothing = ir.Constant(self.vector, [-0.0 if self.is_float else 0] * self.lanes)

    def load(self, address: Any, position: int) -> Any:
        pointer = self._pointer(address, position)
        return self.builder.load(pointer, align=self.width)

    def store(self, value: Any, address: Any, position: int) -> None:
        self.builder.store(value, self._pointer(address, position), align=self.width)

    def _pointer(self, address: Any, position: int) -> Any:
        offset = ir.Constant(INDEX, position * self.lanes * self.width)
        return self.builder.inttoptr(self.builder.add(address, offset), self.vector.as_pointer())

    def tap(self, index: Any) -> Any:
        """The tap at `index` in all lanes."""
        value = self.builder.load(self.builder.gep(self.taps, [index]))
        single = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), value, ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, ir.Constant(self.vector, ir.Undefined), mask)

    def shifted(self, vector: Any, following: Any, ahead: int) -> Any:
        """The samples that begin `ahead` lanes into `vector` and end in `following`."""
        indices = [ahead + lane for lane in range(self.lanes)]
        return self.builder.shuffle_vector(
            vector, following, ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), indices)
        )

    def multiply_add(self, tap: Any, samples: Any, total: Any) -> Any:
        """One rounding where the processor has a fused instruction, two elsewhere."""
        if not self.is_float:
            return self.builder.add(self.builder.mul(tap, samples), total)
        kind = {4: "f32", 8: "f64"}[self.width]
        name = f"llvm.fmuladd.v{self.lanes}{kind}"
        fused = external(self.builder, name, self.vector, [self.vector] * 3)
        return self.builder.call(fused, [tap, samples, total])

    def add(self, first: Any, second: Any) -> Any:
        return self.builder.fadd(first, second) if self.is_float else self.builder.add(first, second)

    def loop(self, start: Any, stop: Any, values: list[Any], body: Any, step: Any = None) -> list[Any]:
        """``for index in range(start, stop, step): values = body(index, values)``, the values in registers."""
        builder = self.builder
        before = builder.block
        head, inside, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(INDEX)
        index.add_incoming(start, before)
        carried = [builder.phi(value.type) for value in values]
        for phi, value in zip(carried, values, strict=True):
            phi.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", index, stop), inside, after)
        builder.position_at_end(inside)
        results = body(index, carried)
        index.add_incoming(builder.add(index, ir.Constant(INDEX, 1) if step is None else step), builder.block)
        for phi, value in zip(carried, results, strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return carried

    def over_groups(self, count: Any, together: Any, sums: int, group: Any) -> list[Any]:
        """Sums of what `group(first tap, end)` returns, over runs of `together` taps, the last of which is shorter."""

        def body(first: Any, totals: list[Any]) -> list[Any]:
            end = self.builder.add(first, together)
            end = self.builder.select(self.builder.icmp_signed("<", end, count), end, count)
            return [self.add(total, part) for total, part in zip(totals, group(first, end), strict=True)]

        return self.loop(ir.Constant(INDEX, 0), count, [self.nothing] * sums, body, together)

    def deliver(self, totals: list[Any], address: Any, adding: Any) -> None:
        """Store totals at `address`, on top of what is there if `adding`."""
        with self.builder.if_else(self.builder.icmp_signed("!=", adding, ir.Constant(INDEX, 0))) as (then, otherwise):
            with then:
                for position, total in enumerate(totals):
                    self.store(self.add(self.load(address, position), total), address, position)
            with otherwise:
                for position, total in enumerate(totals):
                    self.store(total, address, position)


def _line_tile(vectors: int, lanes: int, neighbours: bool = False) -> Any:
    """``y[i] = sum_j taps[j] s[i + j step]`` for ``vectors * lanes`` neighbouring i; 0 lanes fill a register.

    With `neighbours`, step is one sample.
    """

    @instruction
    def tile(
        builder: Any,
        kind: Any,
        taps: Any,
        count: Any,
        together: Any,
        destination: Any,
        source: Any,
        step: Any,
        adding: Any,
    ) -> None:
        emit = Emitter(builder, kind, taps, vectors, lanes)

        def product(index: Any, sums: list[Any]) -> list[Any]:
            tap = emit.tap(index)
            address = builder.add(source, builder.mul(index, step))
            return [emit.multiply_add(tap, emit.load(address, v), sums[v]) for v in range(vectors)]

        def group(first: Any, end: Any) -> list[Any]:
            sums = [emit.nothing] * vectors
            if neighbours and REGISTER_BYTES == 64:
                first, sums = _shared_products(emit, source, first, end, sums)
            return emit.loop(first, end, sums, product)

        emit.deliver(emit.over_groups(count, together, vectors, group), destination, adding)

    return tile


def _shared_products(emit: Emitter, source: Any, first: Any, end: Any, sums: list[Any]) -> tuple[Any, list[Any]]:
    """Products of taps from `first` on, `SHARING` at a time while there are so many; the next tap, and the sums."""
    builder = emit.builder
    sharing = ir.Constant(INDEX, SHARING)
    rounds = builder.sdiv(builder.sub(end, first), sharing)

    def body(index: Any, sums: list[Any]) -> list[Any]:
        start = builder.add(first, builder.mul(index, sharing))
        address = builder.add(source, builder.mul(start, ir.Constant(INDEX, emit.width)))
        window = [emit.load(address, v) for v in range(emit.vectors)]
        sums = list(sums)
        for ahead in range(SHARING):
            tap = emit.tap(builder.add(start, ir.Constant(INDEX, ahead)))
            place = builder.add(address, ir.Constant(INDEX, ahead * emit.width))
            for v in range(emit.vectors):
                if ahead == 0:
                    samples = window[v]
                elif (v + ahead) % 2 and v + 1 < emit.vectors:  # nothing is read past the last sample that is needed
                    samples = emit.shifted(window[v], window[v + 1], ahead)
                else:
                    samples = emit.load(place, v)
                sums[v] = emit.multiply_add(tap, samples, sums[v])
        return sums

    sums = emit.loop(ir.Constant(INDEX, 0), rounds, sums, body)
    return builder.add(first, builder.mul(rounds, sharing)), sums


def _row_tile(rows: int, vectors: int, lanes: int) -> Any:
    """``y[r, c] = sum_j taps[j] *(table[r + j] + offset + c)`` for `rows` rows and ``vectors * lanes`` columns.

    `table` is the address of an array of addresses, one per source row. Row r of the result is at ``destination +
    r pitch``. There must be no fewer taps in a group than `rows`.
    """

    @instruction
    def tile(
        builder: Any,
        kind: Any,
        taps: Any,
        count: Any,
        together: Any,
        destination: Any,
        pitch: Any,
        table: Any,
        offset: Any,
    ) -> None:
        emit = Emitter(builder, kind, taps, vectors, lanes)
        addresses = builder.inttoptr(table, INDEX.as_pointer())

        def source_row(row: Any, sums: list[Any], reached: range) -> list[Any]:
            """Every output row that `reached` names takes its product with this source row."""
            address = builder.add(builder.load(builder.gep(addresses, [row])), offset)
            samples = [emit.load(address, v) for v in range(vectors)]
            sums = list(sums)
            for r in reached:
                tap = emit.tap(builder.sub(row, ir.Constant(INDEX, r)))
                for v in range(vectors):
                    place = r * vectors + v
                    sums[place] = emit.multiply_add(tap, samples[v], sums[place])
            return sums

        def group(first: Any, end: Any) -> list[Any]:
            sums = [emit.nothing] * (rows * vectors)
            for ahead in range(rows - 1):
                sums = source_row(builder.add(first, ir.Constant(INDEX, ahead)), sums, range(ahead + 1))
            start = builder.add(first, ir.Constant(INDEX, rows - 1))
            sums = emit.loop(start, end, sums, lambda row, carried: source_row(row, carried, range(rows)))
            for behind in range(rows - 1):
                sums = source_row(builder.add(end, ir.Constant(INDEX, behind)), sums, range(behind + 1, rows))
            return sums

        totals = emit.over_groups(count, together, rows * vectors, group)
        for r in range(rows):
            place = builder.add(destination, builder.mul(pitch, ir.Constant(INDEX, r)))
            for v in range(vectors):
                emit.store(totals[r * vectors + v], place, v)

    return tile


@instruction
def copy_word(builder: Any, kind: Any, destination: Any, source: Any) -> None:
    """One sample as large as `kind` from one address to another."""
    pointer = element_of(kind).as_pointer()
    destination, source = (builder.inttoptr(value, pointer) for value in (destination, source))
    builder.store(builder.load(source), destination)


call_line = caller(8)
call_rows = caller(9)
line_tile = _line_tile(LINE_VECTORS, 0)
neighbour_tile = _line_tile(LINE_VECTORS, 0, neighbours=True)
line_vector = _line_tile(1, 0)
line_sample = _line_tile(1, 1)
row_tile = _row_tile(ROWS, ROW_VECTORS, 0)
row_vectors = _row_tile(1, ROW_VECTORS, 0)
row_sample = _row_tile(1, 1, 1)
