import { mount } from 'svelte'
import { connectEngine } from '../worker/client'
import App from './App.svelte'
import { AppState } from './state/app.svelte'
import { indexedDbStore } from './state/chat-store'
import './styles/tokens.css'
import './styles/base.css'

const app = new AppState(connectEngine, indexedDbStore())

mount(App, { target: document.getElementById('app')!, props: { app } })

// For the console and the browser tests: does to the page what a driver reset would.
Object.assign(globalThis, { trilobite: { loseDevice: () => app.engine.loseDevice() } })
