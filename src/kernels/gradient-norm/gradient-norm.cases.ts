/** Sets of tensors: on and off whole quads, around a slice of 4,096 loads, many small ones beside a large one. */
export const gradientNormCases = [
  { shapes: [[1]] },
  { shapes: [[3, 5], [4], [7]] },
  { shapes: [[4095], [4096], [4097]] },
  { shapes: [[16_380], [16_384], [128, 129]] },
  { shapes: [[1152, 896], [896], [896, 896], [896], [1], [576, 3]] },
]
