/** The bundled code of engine.worker.ts, made by tools/vite-embed.mjs. */
declare module 'virtual:engine-worker' {
  const code: string
  export default code
}
