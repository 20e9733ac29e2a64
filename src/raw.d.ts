/** Shaders are imported as text, exactly as they stand in the file. */
declare module '*.wgsl?raw' {
  const source: string
  export default source
}

/** Code of a thread of Node's. */
declare module '*.cjs?raw' {
  const source: string
  export default source
}

/** Address of a worker that the bundler makes of a file. */
declare module '*?worker&url' {
  const address: string
  export default address
}
