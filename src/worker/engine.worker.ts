import { expose } from 'comlink'
import { webCodecLoader } from '../model/image/codecs-web'
import { Engine } from './engine'
import { openOpfsStore } from './opfs-store'

expose(
  new Engine({
    gpu: navigator.gpu,
    imageCodecs: webCodecLoader,
    onnx: () => import('./onnx-web').then((module) => module.webOnnxRuntime),
    towerStore: () => openOpfsStore(navigator.storage),
  }),
)
