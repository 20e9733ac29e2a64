import type { Messages } from '../en'

export const problems = {
  insecureAddress: {
    title: 'WebGPU est désactivé à cette adresse.',
    advice: 'Les navigateurs ne l’autorisent qu’en https ou sur localhost. Ouvrez-y la page.',
  },
  noWebGpu: {
    title: 'Ce navigateur n’a pas WebGPU.',
    advice:
      'Ouvrez cette page dans un Chrome ou un Edge récent, dans Safari 26 ou plus récent, ou dans Firefox 141 ou plus ' +
      'récent sous Windows.',
  },
  noGpu: {
    title: 'Aucun GPU utilisable n’a été trouvé.',
    advice:
      'Activez l’accélération graphique dans les réglages du navigateur, mettez à jour le pilote graphique, puis ' +
      'rechargez la page.',
  },
  wrongValues: {
    title: 'Ce GPU calcule des valeurs fausses\u00a0: les réponses n’auraient aucun sens.',
    advice:
      'Mettez à jour le navigateur et le pilote graphique, ou essayez un autre navigateur, puis rechargez la page.',
  },
  gpuLost: {
    title: 'La connexion au GPU a été perdue.',
    advice:
      'Votre discussion est conservée. Rechargez le modèle pour continuer. Si cela se reproduit, fermez les autres ' +
      'onglets qui utilisent le GPU, ou chargez le modèle avec des poids plus petits ou un contexte plus court.',
  },
  shaderRefused: {
    title: 'Le pilote graphique a refusé une partie du moteur.',
    advice:
      'Mettez à jour le pilote graphique et le navigateur, ou essayez un autre navigateur, puis rechargez le modèle.',
  },
  outOfMemory: {
    title: 'Le GPU manque de mémoire.',
    advice:
      'Chargez le modèle en q8 ou q4, avec un contexte plus court, ou choisissez-en un plus petit. Fermer d’autres ' +
      'onglets aide aussi. Les détails disent ce que chaque choix demanderait.',
  },
  offline: {
    title: 'Vous êtes hors ligne.',
    advice: 'Connectez-vous et réessayez. Le modèle fourni et les dossiers locaux fonctionnent sans réseau.',
  },
  refused: {
    title: 'L’hôte a refusé ce modèle.',
    advice:
      'Il est peut-être privé ou demande d’accepter ses conditions. Acceptez-les sur la page du modèle, puis donnez un ' +
      'jeton d’accès dans les options de la source.',
  },
  notFound: {
    title: 'Le modèle ou l’un de ses fichiers est introuvable.',
    advice:
      'Vérifiez l’orthographe du nom et de la révision, et que le dépôt contient des fichiers safetensors.',
  },
  tooManyRequests: {
    title: 'L’hôte demande de ralentir.',
    advice: 'Attendez une minute et réessayez.',
  },
  notDownloaded: {
    title: 'Un fichier n’a pas pu être téléchargé.',
    advice:
      'Vérifiez la connexion et réessayez. Un bloqueur ou un hôte sans CORS peut aussi en être la cause.',
  },
  serverUnreachable: {
    title: 'Le serveur ne répond pas.',
    advice: 'Démarrez-le et vérifiez l’adresse et son port. Les détails disent ce qui a été demandé.',
  },
  serverBlocked: {
    title: 'Le serveur ne laisse pas cette page lire ses réponses.',
    advice:
      'Autorisez l’origine de cette page sur le serveur (CORS). Les détails la nomment, avec les options habituelles.',
  },
  serverInsecure: {
    title: 'Cette page ne peut pas interroger un serveur sans https.',
    advice: 'Servez-le en https, ou ouvrez cette page depuis localhost.',
  },
  serverDenied: {
    title: 'Le serveur veut une clé d’API pour ce modèle.',
    advice: 'Donnez-la sous Modèles. Elle est gardée jusqu’à la fermeture de cette page.',
  },
  serverMissing: {
    title: 'Le serveur n’a pas ce modèle, ou rien à cette adresse.',
    advice: 'Vérifiez le nom du modèle et l’adresse, qui finit le plus souvent par /v1.',
  },
  serverBusy: {
    title: 'Le serveur est occupé ou en difficulté.',
    advice: 'Il a été interrogé plusieurs fois. Attendez un peu et réessayez.',
  },
  serverRefused: {
    title: 'Le serveur n’a pas répondu comme prévu.',
    advice: 'Les détails donnent ses propres mots.',
  },
  answerBroken: {
    title: 'La réponse s’est interrompue.',
    advice: 'Ce qui est venu avant reste ci-dessus. Redemandez pour la réponse entière.',
  },
  damagedWeights: {
    title: 'Les poids du modèle sont endommagés ou ne correspondent pas à sa configuration.',
    advice:
      'Chargez-le à nouveau. Si le même fichier échoue encore, le checkpoint lui-même est en cause\u00a0: choisissez-en un autre.',
  },
  unsupportedConfig: {
    title: 'Trilobite ne sait pas exécuter la configuration de ce modèle.',
    advice:
      'Les détails nomment le champ. Choisissez un checkpoint LLaVA au format Hugging Face, ou l’un de la liste.',
  },
  unreadablePicture: {
    title: 'Une image n’a pas pu être lue.',
    advice:
      'Utilisez un fichier PNG, JPEG, WebP ou GIF. L’ouvrir dans un éditeur d’images et l’enregistrer à nouveau suffit ' +
      'souvent.',
  },
  unfitTemplate: {
    title: 'Cette discussion ne convient pas au modèle de conversation (chat template).',
    advice:
      'Retirez le prompt système ou commencez une nouvelle discussion\u00a0; certains modèles n’acceptent ni prompt système ' +
      'ni images ajoutées plus tard.',
  },
  contextFull: {
    title: 'La discussion dépasse le contexte du modèle.',
    advice:
      'Commencez une nouvelle discussion, raccourcissez la question ou chargez le modèle avec un contexte plus long.',
  },
  unfitShapes: {
    title: 'Les parties du modèle ne s’accordent pas.',
    advice:
      'Ses fichiers se contredisent sur une taille\u00a0; les détails disent où. Choisissez un autre checkpoint.',
  },
  unusableData: {
    title: 'Les données ne peuvent pas être utilisées telles quelles.',
    advice:
      'Les détails nomment le fichier ou la ligne. Donnez le JSON ou JSONL de LLaVA, un tableau CSV ou TSV, ou des ' +
      'images accompagnées de fichiers .txt, avec les images.',
  },
  diverged: {
    title: 'L’entraînement s’est arrêté\u00a0: ses nombres n’étaient plus finis.',
    advice:
      'Lancez un nouvel entraînement avec un taux d’apprentissage plus bas, une montée plus longue (warm-up) ou le modèle ' +
      'en f32. Celui-ci garde son dernier checkpoint, dont le nouveau peut partir.',
  },
  trainedElsewhere: {
    title: 'Cet entraînement a lieu dans un autre onglet ou programme.',
    advice: 'Mettez-le en pause là-bas, ou fermez cet onglet, puis réessayez.',
  },
  otherRunTraining: {
    title: 'Un autre entraînement est en cours.',
    advice: 'Mettez-le en pause ou arrêtez-le d’abord, puis réessayez.',
  },
  cannotTrain: {
    title: 'L’entraînement ne peut ni commencer ni continuer ainsi.',
    advice:
      'Les détails disent pourquoi, et quoi changer. Les entraînements gardent leur dernier checkpoint.',
  },
  cancelled: { title: 'Annulé.' },
  crashed: {
    title: 'Le moteur s’est arrêté de façon inattendue.',
    advice: 'Votre discussion est conservée. Rechargez le modèle pour continuer.',
  },
  storageFull: {
    title: 'Le stockage du navigateur est plein.',
    advice:
      'Cette discussion ne survivra pas au rechargement de la page. Libérez de l’espace disque ou commencez une nouvelle ' +
      'discussion.',
  },
  unknown: {
    title: 'Un problème est survenu.',
    advice: 'Réessayez. S’il persiste, rechargez la page\u00a0; votre discussion est conservée.',
  },
} satisfies Messages['problems']
