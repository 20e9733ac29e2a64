import { useRef, useState } from 'react'
// #region import
import 'trilobite/element'
import type { ImageSource, TrilobiteChat } from 'trilobite/element'
// The types of the tag in JSX.
import type {} from 'trilobite/react'
// #endregion

const MODELS = ['bundled/trilobite-nano-llava', 'llava-hf/llava-interleave-qwen-0.5b-hf']

export function App() {
  const chat = useRef<TrilobiteChat>(null)
  const [model, setModel] = useState(MODELS[0])
  const [systemPrompt, setSystemPrompt] = useState('')
  const [images, setImages] = useState<readonly ImageSource[]>(['/drawing.png'])
  const [state, setState] = useState('Nothing is loaded.')
  const [answers, setAnswers] = useState<string[]>([])

  // What fails is told by trilobite-error, too.
  const describe = () => chat.current?.ask('Describe the image.').catch(() => {})

  return (
    <main>
      <label>
        Model{' '}
        <select value={model} onChange={(event) => setModel(event.target.value)}>
          {MODELS.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        System prompt <input value={systemPrompt} onChange={(event) => setSystemPrompt(event.target.value)} />
      </label>
      <label>
        Pictures{' '}
        <input
          type="file"
          accept="image/*"
          multiple
          onChange={(event) => setImages([...(event.target.files ?? [])])}
        />
      </label>
      <button onClick={describe}>Describe</button>
      <button onClick={() => chat.current?.stop()}>Stop</button>
      <button onClick={() => chat.current?.clear()}>Clear</button>

      {/* #region element */}
      <trilobite-chat
        ref={chat}
        model={model}
        models-url="/models/"
        system-prompt={systemPrompt}
        greeting="What do you see?"
        images={images}
        hide="picker settings"
        theme="light"
        ontrilobite-ready={({ detail }) => setState(`Ready: ${detail.model}`)}
        ontrilobite-answer={({ detail }) => setAnswers((before) => [...before, detail.text])}
        ontrilobite-error={({ detail }) => setState(`${detail.name}: ${detail.message}`)}
      >
        <strong slot="header">Ask about a picture</strong>
      </trilobite-chat>
      {/* #endregion */}

      <p role="status">{state}</p>
      <ol>
        {answers.map((answer, index) => (
          <li key={index}>{answer}</li>
        ))}
      </ol>
    </main>
  )
}
