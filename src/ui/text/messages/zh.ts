import { countIn } from '../number'
import type { Messages } from './en'
import { models } from './models/zh'
import { problems } from './problems/zh'

const count = (value: number) => countIn('zh', value)

export const zh = {
  locale: 'zh-CN',

  units: {
    byte: 'B',
    perSecond: (amount: string) => `${amount}/秒`,
    tokensPerSecond: (rate: string) => `${rate} token/秒`,
    milliseconds: (milliseconds: number) => `${milliseconds} 毫秒`,
    seconds: (seconds: string) => `${seconds} 秒`,
    minutes: (minutes: number) => `${minutes} 分钟`,
    minutesAndSeconds: (minutes: number, seconds: number) => `${minutes} 分 ${seconds} 秒`,
    hours: (hours: number) => `${hours} 小时`,
    hoursAndMinutes: (hours: number, minutes: number) => `${hours} 小时 ${minutes} 分钟`,
    fewSeconds: '几秒',
    unknownTime: '未知',
  },

  components: {
    copy: '复制',
    copied: '已复制',
    copyRefused: '浏览器拒绝复制',
    cancel: '取消',
    close: '关闭',
    dismiss: '忽略',
    details: '详细信息',
    pictures: '图片',
    enlarge: (picture: string) => `放大 ${picture}`,
    remove: (picture: string) => `移除 ${picture}`,
    closePicture: '关闭图片',
  },

  remedies: {
    'reload-model': '重新加载模型',
    'choose-model': '选择模型',
    'use-server': '使用服务器上的模型',
    retry: '重试',
    'new-chat': '新对话',
    'reload-page': '刷新页面',
  },

  announcements: {
    newChat: '新对话',
    modelReady: '模型已就绪',
    loading: (percent: number) => `正在加载，已完成百分之 ${percent}`,
    generating: '正在生成',
    answerStopped: '回答已停止',
    answerComplete: '回答完成',
    answerCutShort: '回答中断',
    noAnswer: (problem: string) => `没有回答。${problem}`,
  },

  chat: {
    title: '对话',
    conversation: '对话内容',
    toEnd: '跳到末尾',
    dropPictures: '松开即可添加图片',
    modelState: (dtype: string, contextTokens: number) => `${dtype} · 上下文 ${count(contextTokens)} token`,
    mistakes: '模型会出错，重要内容请自行核实。',
    answersFrom: (host: string) => `回答来自 ${host}，图片和问题会发送到那里。`,
    keys: 'Enter 发送，Shift+Enter 换行',
    notLoaded: '模型尚未加载。您的对话已保留。',
    choose: '选择',
    load: (model: string) => `加载 ${model}`,
  },

  recovery: {
    title: '与 GPU 的连接已断开。',
    advice: '正在重新加载模型，完成后会自动继续之前的工作。',
    attempt: (attempt: number, attempts: number) => `第 ${attempt} 次尝试，共 ${attempts} 次`,
    stop: '停止加载',
  },

  composer: {
    probing: '正在检测 GPU…',
    unfit: '没有可用的 GPU，详见上方。',
    loading: '模型正在加载…',
    lost: '请重新加载模型以继续。',
    recovering: '模型正在恢复…',
    idle: '请先加载模型再提问。',
    addPictures: '添加图片',
    takesNoPictures: '此模型不支持图片',
    question: '您的问题',
    askAboutPicture: '就图片提问',
    ask: '提问',
    send: '发送',
    stop: '停止回答',
  },

  question: {
    you: '您',
    copy: '复制问题',
    edit: '编辑问题',
    field: '编辑您的问题',
    askAgain: '重新提问',
    replaces: '此问题之后的内容将被替换。',
  },

  answer: {
    waiting: '等待中',
    progress: '进度',
    copy: '复制回答',
    regenerate: '重新生成回答',
    notLookable:
      '只能查看最新的回答，且其模型须保持加载：引擎一次只保留一个回答。点击“重新生成回答”可再次提出此问题。',
    notLookableThere: (host: string) =>
      `无法显示它在看哪里：由 ${host} 回答，而它不提供此信息。请在此设备上加载模型来查看。`,
    code: '代码',
    copyCode: '复制代码',
    withheld: (picture: string) => `[图片未加载：${picture}]`,
  },

  endings: {
    aborted: '已停止。',
    length: '已达到回答长度上限而截断。可在设置中调高上限。',
    context: '上下文已满。请开始新对话，或以更长的上下文加载模型。',
    lost: '回答中断：引擎已丢失。模型恢复后，点击“重新生成回答”可再次提问。',
    interrupted: '此回答完成前页面已关闭。',
  },

  activity: {
    readingQuestion: '正在阅读问题',
    lookingAtPicture: '正在查看图片',
    lookingAtPictures: (pictures: number) => `正在查看 ${pictures} 张图片`,
    loadingTower: (tower: number, towers: number, name: string, percent: string) =>
      `正在加载视觉编码器 ${tower}/${towers}，${name}：${percent}`,
    fetchingTower: (tower: number, towers: number, name: string, percent: string) =>
      `正在下载视觉编码器 ${tower}/${towers}，${name}：${percent}`,
    readingTokens: (promptTokens: number) => `正在读取 ${count(promptTokens)} 个 token`,
  },

  stats: {
    tokens: (tokens: number) => `${count(tokens)} 个 token`,
    firstAfter: (duration: string) => `首个耗时 ${duration}`,
    reused: (reusedTokens: number) => `复用 ${count(reusedTokens)} 个`,
    prompt: (promptTokens: number, imageTokens: number, reusedTokens: number) =>
      `提示词 ${count(promptTokens)} 个 token，其中 ${count(imageTokens)} 个来自图片，` +
      `${count(reusedTokens)} 个复用自之前的轮次`,
    greedy: '贪心解码',
    sampling: (temperature: string, topP: string, topK: string, seed: string) =>
      `温度 ${temperature}，top-p ${topP}，top-k ${topK}，随机种子 ${seed}`,
  },

  pictures: {
    pasted: (number: number) => `图片 ${number}`,
    empty: (name: string) => `${name} 是空文件。请选择其他图片。`,
    tooLarge: (name: string) => `${name} 超过 50 MB。请压缩后重试。`,
    noPicture: (name: string) => `${name} 不是 PNG、JPEG、WebP 或 GIF 图片。请转换格式后重试。`,
    undecodable: (name: string) => `${name} 无法解码，可能已损坏。请打开并重新保存，或选择其他图片。`,
  },

  settings: {
    title: '设置',
    close: '关闭设置',
    temperature: '温度',
    temperatureHint: '0 总是选择最可能的词；数值越高变化越多。',
    sampling: '采样',
    samplingOff: '温度大于 0 时生效',
    topP: 'Top-p',
    topPHint: '保留累计概率达到此值的最可能的词。',
    topK: 'Top-k',
    topKHint: '保留这么多个最可能的词；0 表示全部保留。',
    newSeed: '每次回答使用新的随机种子',
    seed: '随机种子',
    repetitionPenalty: '重复惩罚',
    repetitionPenaltyHint: '1 表示关闭。',
    longestAnswer: '回答最大长度（token）',
    systemPrompt: '系统提示词',
    systemPromptHint: '置于对话之前。有些模型会忽略或拒绝它。',
    profile: '剖析回答的性能',
    profileHint: '在每个回答下方显示各内核的耗时。开启期间回答会变慢。',
    noProfile: '服务器上的模型不提供此信息。',
    reset: '恢复默认设置',
  },

  keys: {
    title: '快捷键',
    enter: 'Enter',
    shift: 'Shift',
    control: 'Ctrl',
    escape: 'Esc',
    send: '发送',
    newLine: '换行',
    stop: '停止回答',
    newChat: '新对话',
    settings: '打开设置',
    question: '跳到提问框',
  },

  look: {
    title: '关注位置',
    words: '词语',
    towers: '编码器',
    looking: '正在查看…',
    quoted: (word: string) => `“${word}”：`,
    attention: (share: string, place: string) => `${share} 的注意力在图片上，其中大部分在${place}。`,
    attentionOfSeveral: (share: string, place: string, picture: number) =>
      `${share} 的注意力在这些图片上，其中大部分在图片 ${picture} 的${place}。`,
    places: {
      top: { left: '左上方', centre: '正上方', right: '右上方' },
      middle: { left: '左侧中部', centre: '中央', right: '右侧中部' },
      bottom: { left: '左下方', centre: '正下方', right: '右下方' },
    },
    inOneCell: (share: string) => `单格 ${share}`,
    cut: '变暗的边缘在模型看到图片之前已被裁掉。',
    chooseWord: '请在下方回答中选择一个词。',
    averaged: '对所有层和注意力头取平均：显示模型依据了什么，而非原因。',
    pictureGroup: '图片',
    picture: (number: number) => `图片 ${number}`,
    pictureShare: (number: number, share: string) => `图片 ${number}：${share}`,
    cells: '图片的网格。用方向键在格子间移动。',
    wholeShares: '整张图片的占比。指向某一格可查看该格的占比。',
    cellShares: (row: number, column: number) => `第 ${row} 行第 ${column} 列的占比。`,
    cell: (row: number, column: number, shares: string) => `第 ${row} 行，第 ${column} 列：${shares}`,
    colours: '颜色的含义',
    allTowers: '所有编码器',
  },

  profile: {
    title: '性能剖析',
    copy: '复制为 JSON',
    loadToFirstToken: '加载到首个 token',
    firstToken: '提问到首个 token',
    speed: '解码速度',
    dispatchesPerToken: '每个 token 的调度次数',
    encode: '编码图片',
    prompt: '读取提示词',
    decode: '生成 token',
    times: (wall: string, kernels: string) => `${wall}，其中内核 ${kernels}`,
    kernel: '内核',
    dispatches: '调度次数',
    milliseconds: 'ms',
    share: '占比',
    rate: 'GFLOP/s',
    timestamps: '按 GPU 时钟计时；每次调度单独成为一个通道，这本身也需要时间。',
    waits: '此浏览器不提供 GPU 时间：每次调度都重做一遍并等待其完成。请比较占比，不要比较总和。',
  },

  element: {
    greeting: '就图片提问',
    back: '返回对话',
    start: '启动',
    fetchesAmount: (size: string, host: string) =>
      `模型在此设备上运行：图片和问题不会离开本机。启动或提问时，会从 ${host} 下载 ${size}。`,
    fetchesFiles: (host: string) =>
      `模型在此设备上运行：图片和问题不会离开本机。启动或提问时，会从 ${host} 下载其文件。`,
  },

  models,
  problems,
} satisfies Messages
