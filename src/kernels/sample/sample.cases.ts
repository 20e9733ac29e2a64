/** Sizes straddle the lanes of a workgroup and the slices of argmax; the last is a real vocabulary. */
export const vocabularies = [1, 255, 256, 257, 4099, 152_000]

export const samplingCases = [
  { name: 'all kept', temperature: 1, topK: 0, topP: 1 },
  { name: 'hot', temperature: 3, topK: 0, topP: 1 },
  { name: 'cold', temperature: 0.1, topK: 0, topP: 1 },
  { name: 'top-k', temperature: 1, topK: 7, topP: 1 },
  { name: 'top-k above V', temperature: 1, topK: 300_000, topP: 1 },
  { name: 'top-p', temperature: 1, topK: 0, topP: 0.9 },
  { name: 'narrow top-p', temperature: 1, topK: 0, topP: 0.05 },
  { name: 'top-k and top-p', temperature: 0.7, topK: 40, topP: 0.6 },
]
