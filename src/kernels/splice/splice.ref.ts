/** Oracle in float64: tokens with rows[r] at at[r]; places beyond the tokens are skipped. */
export function spliceRef(
  tokens: ArrayLike<number>,
  rows: ArrayLike<number>,
  at: ArrayLike<number>,
): Float64Array {
  const C = rows.length / at.length
  const spliced = Float64Array.from(tokens)
  for (let r = 0; r < at.length; r++) {
    if (at[r]! * C >= tokens.length) continue
    for (let c = 0; c < C; c++) spliced[at[r]! * C + c] = rows[r * C + c]!
  }
  return spliced
}

export function spliceBackwardRef(
  dTokens: ArrayLike<number>,
  at: ArrayLike<number>,
  C: number,
): Float64Array {
  const dRows = new Float64Array(at.length * C)
  for (let r = 0; r < at.length; r++) {
    if (at[r]! * C >= dTokens.length) continue
    for (let c = 0; c < C; c++) dRows[r * C + c] = dTokens[at[r]! * C + c]!
  }
  return dRows
}
