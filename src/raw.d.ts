/** Shaders are imported as text, exactly as they stand in the file. */
declare module '*.wgsl?raw' {
  const source: string
  export default source
}
