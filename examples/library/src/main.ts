import { Trilobite } from 'trilobite'
import { ask } from './ask'
import { drawOverlay } from './overlay'
import { train } from './train'

const part = <T extends HTMLElement>(id: string) => document.getElementById(id) as T
const fileOf = (id: string) => part<HTMLInputElement>(id).files![0]!
const tell = (text: string) => (part('state').textContent = text)

// #region load
let opened: Promise<Trilobite> | undefined
let loaded = ''

/** The engine with a model, which is fetched when it is first wanted. */
async function withModel(name: string): Promise<Trilobite> {
  const trilobite = await (opened ??= Trilobite.open())
  if (loaded !== name) {
    await trilobite.load(`/models/${name}`, {
      onProgress: (progress) => tell(`${name}: ${progress.phase}`),
    })
    loaded = name
    tell(`${name} is ready.`)
  }
  return trilobite
}
// #endregion

let stop = new AbortController()
part('stop').addEventListener('click', () => stop.abort())

on('ask', async () => {
  stop = new AbortController()
  const picture = fileOf('picture')
  const trilobite = await withModel('trilobite-nano-llava')
  const { words, finish } = await ask(trilobite, {
    question: part<HTMLInputElement>('question').value,
    picture,
    signal: stop.signal,
    onText: (text) => (part('answer').textContent = text),
  })
  const buttons = words.map((word) => {
    const button = document.createElement('button')
    button.textContent = word.text
    button.onclick = () => void drawOverlay(trilobite, word, picture, part('overlay')).catch(failed)
    return button
  })
  part('answer').replaceChildren(...buttons)
  tell(finish === 'aborted' ? 'Stopped.' : 'Answered.')
})

on('train', async () => {
  const trilobite = await withModel('trilobite-nano-stage1')
  const files = await train(trilobite, {
    pairs: fileOf('pairs'),
    steps: part<HTMLInputElement>('steps').valueAsNumber,
    onStep: ({ step, loss }) => part('losses').append(item(`Step ${step}: loss ${loss.toFixed(3)}`)),
  })
  for (const { path, bytes } of files) {
    const link = document.createElement('a')
    link.textContent = link.download = path
    link.href = URL.createObjectURL(new Blob([bytes]))
    part('files').append(item(link))
  }
})

function item(content: string | Node): HTMLLIElement {
  const item = document.createElement('li')
  item.append(content)
  return item
}

/** Does a form's work when it is sent, and tells what fails. */
function on(id: string, work: () => Promise<void>): void {
  part<HTMLFormElement>(id).addEventListener('submit', (event) => {
    event.preventDefault()
    work().catch(failed)
  })
}

function failed(error: Error): void {
  tell(`${error.name}: ${error.message}`)
}
