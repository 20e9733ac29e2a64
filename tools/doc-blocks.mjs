// Code blocks of documentation that are files of the project, or marked regions of them:
//
//   ```tsx file=examples/react/src/App.tsx region=element
//
// A region lies between lines with `#region NAME` and `#endregion` in any comment.

const BLOCK = /^```(\w+) file=(\S+)(?: region=(\w+))?\n(?:[^]*?\n)??```$/gm

/**
 * The text with each such block filled from its file.
 * @param {string} markdown
 * @param {(path: string) => string} read
 */
export function filled(markdown, read) {
  return markdown.replace(BLOCK, (_block, language, path, region) => {
    const info = `${language} file=${path}${region ? ` region=${region}` : ''}`
    const lines = linesOf(read(path), region)
    if (!lines) throw new Error(`${path}: expected a region ${region} that ends, found none.`)
    return `\`\`\`${info}\n${lines.join('\n')}\n\`\`\``
  })
}

/** @param {string} text @param {string | undefined} region */
function linesOf(text, region) {
  let lines = text.trimEnd().split('\n')
  if (region) {
    const start = lines.findIndex((line) => new RegExp(`#region ${region}\\b`).test(line))
    const length = lines.slice(start + 1).findIndex((line) => line.includes('#endregion'))
    if (start < 0 || length < 0) return undefined
    lines = lines.slice(start + 1, start + 1 + length)
  }
  lines = lines.filter((line) => !/#(?:region|endregion)\b/.test(line))
  const indents = lines.filter((line) => line.trim()).map((line) => /^ */.exec(line)?.[0].length ?? 0)
  const indent = Math.min(...indents)
  return lines.map((line) => line.slice(indent))
}
