import js from '@eslint/js'
import svelte from 'eslint-plugin-svelte'
import globals from 'globals'
import ts from 'typescript-eslint'
import { fileURLToPath } from 'node:url'
import svelteConfig from './svelte.config.js'
import { walls } from './tools/walls.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))

export default ts.config(
  {
    ignores: [
      'dist',
      'examples/*/dist',
      'node_modules',
      'public',
      'test-results',
      'e2e/golden',
      'tools/bundled-model',
      '.cache',
    ],
  },
  js.configs.recommended,
  ts.configs.recommended,
  svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig },
    },
  },
  {
    files: ['**/*.{mjs,js}'],
    languageOptions: { globals: globals.node },
  },
  {
    rules: {
      // TypeScript knows every name.
      'no-undef': 'off',
      // Indices into typed arrays and tables are known to be in range where `!` stands.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
    },
  },
  ...walls(root),
)
