// npm run docs: docs/library-api.md and docs/element-api.md from the types and comments of what the package exports, and the
// examples' code in docs/embedding.md.
//
//   npm run docs -- --check   writes nothing, fails where a file is not what the types say

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { Application, Converter, ReflectionKind } from 'typedoc'
import { MarkdownTheme, MarkdownThemeContext } from 'typedoc-plugin-markdown'
import { root } from './app-build.mjs'
import { filled } from './doc-blocks.mjs'

/** By the name of a file in docs/ without its ending. */
const PAGES = [
  { name: 'library-api', entry: 'src/library/index.ts', title: 'The API of `trilobite`' },
  { name: 'element-api', entry: 'src/ui/element/index.ts', title: 'The API of `trilobite/element`' },
]
const NOTE = '<!-- Written by npm run docs from the types and their comments. -->'

/** Signatures say what a call takes and returns; tables of it would say it again. */
class Theme extends MarkdownTheme {
  /** @override @param {any} page */
  getRenderContext(page) {
    const context = new MarkdownThemeContext(this, page, this.application.options)
    context.partials.signatureReturns = () => ''
    context.partials.inheritance = () => ''
    context.partials.accessor = ({ getSignature, setSignature }, { headingLevel }) => {
      const signatures = [getSignature, setSignature].filter((signature) => signature !== undefined)
      const titles = signatures.map((signature) =>
        context.partials.signatureTitle(signature, { accessor: signature === getSignature ? 'get' : 'set' }),
      )
      const comment = signatures.find((signature) => signature.comment)?.comment
      return [
        titles.join('\n').replaceAll('\n```\n```ts\n', '\n'),
        comment ? context.partials.comment(comment, { headingLevel, showSummary: true, showTags: true }) : '',
      ].join('\n\n')
    }
    return context
  }
}

const folder = mkdtempSync(join(tmpdir(), 'trilobite-docs-'))
try {
  await generate(folder)
  const stale = await compare(folder, process.argv.includes('--check'))
  if (stale.length > 0) {
    console.error(`${stale.join(', ')}: expected what the types say, got something else. Run npm run docs.`)
    process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true })
}

/** @param {string} out */
async function generate(out) {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: PAGES.map(({ entry }) => join(root, entry)),
    out,
    tsconfig: join(root, 'tsconfig.library.json'),
    plugin: ['typedoc-plugin-markdown'],
    readme: 'none',
    // npm run check has steps of its own for types.
    skipErrorChecking: true,
    logLevel: 'Warn',
    disableSources: true,
    disableGit: true,
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    sort: ['static-first', 'source-order'],
    router: 'module',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    expandParameters: true,
    expandObjects: true,
    parametersFormat: 'none',
    classPropertiesFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    tableColumnSettings: { hideModifiers: true, hideInherited: true, hideOverrides: true },
    pageTitleTemplates: {
      module: (/** @type {{ name: string }} */ { name }) =>
        PAGES.find((page) => page.name === name)?.title ?? name,
    },
  })
  app.renderer.defineTheme('signatures', Theme)
  app.options.setValue('theme', 'signatures')
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    // Objects of these classes are given, not made.
    for (const made of project.getReflectionsByKind(ReflectionKind.Constructor))
      project.removeReflection(made)
    for (const made of project.getReflectionsByKind(ReflectionKind.Class)) {
      const type = /** @type {import('typedoc').DeclarationReflection} */ (made)
      // The package keeps this base to itself.
      type.extendedTypes = type.extendedTypes?.filter(
        (base) => base.type !== 'reference' || base.reflection || base.package !== project.packageName,
      )
      if (type.extendedTypes?.length === 0) type.extendedTypes = undefined
    }
    // Links to the other page stand where these are used.
    for (const other of project.getReflectionsByKind(ReflectionKind.Reference))
      project.removeReflection(other)
    for (const parameter of project.getReflectionsByKind(ReflectionKind.Parameter)) {
      if (parameter.name === '__namedParameters') parameter.name = 'options'
    }
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      const path = module.name
      const page = PAGES.find(({ entry }) => entry.replace(/(?:\/index)?\.ts$/, '').endsWith(path))
      if (page) module.name = page.name
    }
  })
  // Before these are grouped. What is inherited stands with what it comes from.
  app.converter.on(
    Converter.EVENT_RESOLVE_END,
    ({ project }) => {
      for (const method of project.getReflectionsByKind(ReflectionKind.Method)) {
        if (/** @type {any} */ (method).inheritedFrom) project.removeReflection(method)
      }
    },
    0,
  )
  const project = await app.convert()
  if (!project) throw new Error('the documentation: expected types that can be read. Run npm run check.')
  await app.generateOutputs(project)
}

/**
 * Files that are not as generated; writes them unless only asked.
 * @param {string} out
 * @param {boolean} isOnlyAsked
 */
async function compare(out, isOnlyAsked) {
  const stale = []
  for (const { name } of PAGES) {
    const file = join(root, 'docs', `${name}.md`)
    const generated = readFileSync(join(out, `${name}.md`), 'utf8')
    const text = await format(`${NOTE}\n\n${generated.replace(/<a id="[^"]*"><\/a> /g, '')}`, {
      ...(await resolveConfig(file)),
      filepath: file,
    })
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
    if (isOnlyAsked) stale.push(`docs/${name}.md`)
    else writeFileSync(file, text)
  }
  const embedding = join(root, 'docs/embedding.md')
  const written = readFileSync(embedding, 'utf8')
  const text = filled(written, (path) => readFileSync(join(root, path), 'utf8'))
  if (text === written) return stale
  if (isOnlyAsked) stale.push('docs/embedding.md')
  else writeFileSync(embedding, text)
  return stale
}
