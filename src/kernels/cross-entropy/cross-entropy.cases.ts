/** Vocabularies on and off whole quads and around a workgroup, in one chunk and in several; many rows; real vocabularies. */
export const crossEntropyCases = [
  { R: 1, V: 1, chunk: 1 },
  { R: 3, V: 5, chunk: 2 },
  { R: 2, V: 257, chunk: 256 },
  { R: 5, V: 1024, chunk: 1024 },
  { R: 7, V: 1028, chunk: 192 },
  { R: 33, V: 4099, chunk: 1024 },
  { R: 2000, V: 130, chunk: 64 },
  { R: 1, V: 152_064, chunk: 152_064 },
  { R: 4, V: 152_064, chunk: 32_768 },
]
