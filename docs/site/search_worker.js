// Browsers start no worker from a page that was opened as a file. There the search runs in a
// hidden frame, which takes and gives the messages that a worker would.
if (location.protocol === "file:") {
  const inside = `
    var postMessage = message => parent.postMessage(message, "*")
    var importScripts = (...addresses) => addresses.reduce((before, address) =>
      before.then(() => new Promise((resolve, reject) => {
        const script = document.createElement("script")
        Object.assign(script, { src: address, onload: resolve, onerror: reject })
        document.body.append(script)
      })), Promise.resolve())`
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      const frame = Object.assign(document.createElement("iframe"), { hidden: true })
      document.body.append(frame)
      const page = frame.contentWindow.document
      page.open()
      page.write(`<body><script>${inside}<\/script><script src="${address}"><\/script></body>`)
      page.close()
      this.frame = frame
      this.take = event => {
        if (event.source !== frame.contentWindow) return
        const message = new MessageEvent("message", { data: event.data })
        this.dispatchEvent(message)
        if (this.onmessage) this.onmessage(message)
      }
      addEventListener("message", this.take)
      this.ready = new Promise(resolve => frame.addEventListener("load", resolve))
    }
    postMessage(message) {
      const event = new MessageEvent("message", { data: message })
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(event)) // its own postMessage leads here
    }
    terminate() {
      removeEventListener("message", this.take)
      this.frame.remove()
    }
  }
}
