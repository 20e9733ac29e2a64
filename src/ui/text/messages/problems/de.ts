import type { Messages } from '../en'

export const problems = {
  insecureAddress: {
    title: 'Unter dieser Adresse ist WebGPU abgeschaltet.',
    advice: 'Browser erlauben es nur über https oder auf localhost. Öffnen Sie die Seite dort.',
  },
  noWebGpu: {
    title: 'Dieser Browser hat kein WebGPU.',
    advice:
      'Öffnen Sie diese Seite in einem aktuellen Chrome oder Edge, in Safari ab Version 26 oder unter Windows in ' +
      'Firefox ab Version 141.',
  },
  noGpu: {
    title: 'Es wurde keine brauchbare GPU gefunden.',
    advice:
      'Schalten Sie in den Einstellungen des Browsers die Grafikbeschleunigung ein, aktualisieren Sie den ' +
      'Grafiktreiber und laden Sie dann die Seite neu.',
  },
  wrongValues: {
    title: 'Diese GPU rechnet falsch, die Antworten wären Unsinn.',
    advice:
      'Aktualisieren Sie Browser und Grafiktreiber oder versuchen Sie einen anderen Browser und laden Sie dann die ' +
      'Seite neu.',
  },
  gpuLost: {
    title: 'Die Verbindung zur GPU ist abgebrochen.',
    advice:
      'Ihr Chat bleibt erhalten. Laden Sie das Modell neu, um fortzufahren. Geschieht es wieder, schließen Sie andere ' +
      'Tabs, die die GPU nutzen, oder laden Sie das Modell mit kleineren Gewichten oder kürzerem Kontext.',
  },
  shaderRefused: {
    title: 'Der Grafiktreiber hat einen Teil des Programms abgelehnt.',
    advice:
      'Aktualisieren Sie Grafiktreiber und Browser, oder versuchen Sie einen anderen Browser, und laden Sie das Modell dann erneut.',
  },
  outOfMemory: {
    title: 'Der Speicher der GPU reicht nicht.',
    advice:
      'Laden Sie das Modell als q8 oder q4, mit kürzerem Kontext, oder wählen Sie ein kleineres. Andere Tabs zu ' +
      'schließen hilft. Was wie viel bräuchte, steht in den Details.',
  },
  offline: {
    title: 'Sie sind offline.',
    advice:
      'Stellen Sie eine Verbindung her und versuchen Sie es erneut. Das mitgelieferte Modell und lokale Ordner ' +
      'funktionieren ohne Netz.',
  },
  refused: {
    title: 'Der Host verweigert dieses Modell.',
    advice:
      'Es ist vielleicht privat oder verlangt, dass Sie seinen Bedingungen zustimmen. Stimmen Sie auf der Seite des ' +
      'Modells zu und geben Sie dann unter „Optionen der Quelle“ ein Zugriffstoken an.',
  },
  notFound: {
    title: 'Das Modell oder eine seiner Dateien wurde nicht gefunden.',
    advice:
      'Prüfen Sie die Schreibweise von Name und Revision und ob das Repository safetensors-Dateien enthält.',
  },
  tooManyRequests: {
    title: 'Der Host bittet um Geduld.',
    advice: 'Warten Sie eine Minute und versuchen Sie es erneut.',
  },
  notDownloaded: {
    title: 'Eine Datei konnte nicht heruntergeladen werden.',
    advice:
      'Prüfen Sie die Verbindung und versuchen Sie es erneut. Auch ein Blocker oder ein Host ohne CORS kann die ' +
      'Ursache sein.',
  },
  serverUnreachable: {
    title: 'Der Server antwortet nicht.',
    advice: 'Starten Sie ihn und prüfen Sie Adresse und Port. Die Einzelheiten nennen, was gefragt wurde.',
  },
  serverBlocked: {
    title: 'Der Server lässt diese Seite seine Antworten nicht lesen.',
    advice:
      'Erlauben Sie auf dem Server die Herkunft dieser Seite (CORS). Die Einzelheiten nennen sie und die üblichen Optionen.',
  },
  serverInsecure: {
    title: 'Diese Seite darf keinen Server ohne https fragen.',
    advice: 'Betreiben Sie ihn über https, oder öffnen Sie diese Seite von localhost.',
  },
  serverDenied: {
    title: 'Der Server verlangt einen API-Schlüssel für dieses Modell.',
    advice: 'Geben Sie ihn unter Modelle an. Er bleibt bis zum Schließen dieser Seite.',
  },
  serverMissing: {
    title: 'Der Server hat dieses Modell nicht, oder nichts unter dieser Adresse.',
    advice: 'Prüfen Sie den Namen des Modells und die Adresse, die meist auf /v1 endet.',
  },
  serverBusy: {
    title: 'Der Server ist ausgelastet oder gestört.',
    advice: 'Er wurde mehrmals gefragt. Warten Sie etwas und versuchen Sie es erneut.',
  },
  serverRefused: {
    title: 'Der Server hat nicht wie erwartet geantwortet.',
    advice: 'Die Einzelheiten geben seine eigenen Worte wieder.',
  },
  answerBroken: {
    title: 'Die Antwort brach ab.',
    advice: 'Was bis dahin kam, bleibt oben stehen. Fragen Sie für die ganze Antwort noch einmal.',
  },
  damagedWeights: {
    title: 'Die Gewichte des Modells sind beschädigt oder passen nicht zu seiner Konfiguration.',
    advice:
      'Laden Sie es noch einmal. Scheitert dieselbe Datei erneut, liegt es am Checkpoint selbst: Wählen Sie einen anderen.',
  },
  unsupportedConfig: {
    title: 'Mit der Konfiguration dieses Modells kann Trilobite nicht umgehen.',
    advice:
      'Die Einzelheiten nennen das Feld. Wählen Sie einen LLaVA-Checkpoint im Hugging-Face-Aufbau oder einen aus der Liste.',
  },
  unreadablePicture: {
    title: 'Ein Bild konnte nicht gelesen werden.',
    advice:
      'Verwenden Sie eine PNG-, JPEG-, WebP- oder GIF-Datei. Oft hilft es, sie in einem Bildbearbeitungsprogramm neu zu ' +
      'speichern.',
  },
  unfitTemplate: {
    title: 'Diese Unterhaltung passt nicht zum Chat-Template des Modells.',
    advice:
      'Entfernen Sie den System-Prompt oder beginnen Sie einen neuen Chat; manche Modelle nehmen keinen System-Prompt ' +
      'oder später keine Bilder mehr an.',
  },
  contextFull: {
    title: 'Die Unterhaltung ist länger als der Kontext des Modells.',
    advice:
      'Beginnen Sie einen neuen Chat, kürzen Sie die Frage oder laden Sie das Modell mit längerem Kontext.',
  },
  unfitShapes: {
    title: 'Das Modell passt nicht zusammen.',
    advice:
      'Seine Dateien widersprechen sich in einer Größe; die Einzelheiten sagen, wo. Wählen Sie einen anderen Checkpoint.',
  },
  unusableData: {
    title: 'Die Daten lassen sich so nicht verwenden.',
    advice:
      'Die Einzelheiten nennen die Datei oder Zeile. Nötig sind JSON oder JSONL von LLaVA, eine CSV- oder TSV-Tabelle ' +
      'oder Bilder mit .txt-Dateien, jeweils zusammen mit den Bildern.',
  },
  diverged: {
    title: 'Das Training hat angehalten: Seine Zahlen waren nicht mehr endlich.',
    advice:
      'Beginnen Sie einen neuen Lauf mit kleinerer Lernrate, längerem Warm-up oder dem Modell in f32. Dieser Lauf behält ' +
      'seinen letzten Checkpoint, mit dem der neue beginnen kann.',
  },
  trainedElsewhere: {
    title: 'Dieser Lauf trainiert in einem anderen Tab oder Programm.',
    advice: 'Halten Sie ihn dort an oder schließen Sie den Tab und versuchen Sie es dann erneut.',
  },
  otherRunTraining: {
    title: 'Ein anderer Lauf trainiert gerade.',
    advice: 'Unterbrechen oder beenden Sie ihn zuerst und versuchen Sie es dann erneut.',
  },
  cannotTrain: {
    title: 'So kann das Training nicht beginnen oder weitergehen.',
    advice: 'Die Einzelheiten sagen, warum und was zu ändern ist. Läufe behalten ihren letzten Checkpoint.',
  },
  cancelled: { title: 'Abgebrochen.' },
  crashed: {
    title: 'Die Engine ist unerwartet stehen geblieben.',
    advice: 'Ihr Chat bleibt erhalten. Laden Sie das Modell neu, um fortzufahren.',
  },
  storageFull: {
    title: 'Der Speicher des Browsers ist voll.',
    advice:
      'Dieser Chat übersteht kein Neuladen der Seite. Geben Sie Speicherplatz frei oder beginnen Sie einen neuen Chat.',
  },
  unknown: {
    title: 'Etwas ist schiefgegangen.',
    advice: 'Versuchen Sie es erneut. Bleibt der Fehler, laden Sie die Seite neu; Ihr Chat bleibt erhalten.',
  },
} satisfies Messages['problems']
