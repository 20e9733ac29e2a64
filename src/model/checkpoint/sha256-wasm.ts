// A module of its own, loaded when the first file is hashed: of the library's many hashes only this one is bundled.
export { createSHA256 } from 'hash-wasm'
