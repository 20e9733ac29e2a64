// The keys that one query cell sees in one tower's map: the valid part of its own block of r x r cells, or the whole
// block where none of it is valid. Only functions; they read side (s), reduce (r), row_from, row_to, col_from and
// col_to (the map's valid rectangle) from the including kernel's params.

struct Window {
  first: u32,    // the map's row number of its first key
  columns: u32,  // keys side by side
  count: u32,    // keys
}

fn window_of(cell: u32) -> Window {
  let r = params.reduce;
  let low = vec2u(cell / params.side, cell % params.side) * r;
  let high = low + vec2u(r);
  var begin = max(low, vec2u(params.row_from, params.col_from));
  var end = min(high, vec2u(params.row_to, params.col_to));
  if (begin.x >= end.x || begin.y >= end.y) {
    begin = low;
    end = high;
  }
  let columns = end.y - begin.y;
  return Window(begin.x * params.side * r + begin.y, columns, (end.x - begin.x) * columns);
}

/// The map's row number of a window's key.
fn key_of(window: Window, index: u32) -> u32 {
  return window.first + index / window.columns * (params.side * params.reduce) + index % window.columns;
}
