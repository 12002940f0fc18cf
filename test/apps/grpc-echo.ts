/** The same service as fixtures/grpc_echo.py by @grpc/grpc-js, and a client for it; messages are bytes as they are. */
import grpc from '@grpc/grpc-js'

const SIZES = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }

function method(name: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> {
  const bytes = (value: Buffer): Buffer => value
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  }
}

const SERVICE = {
  unary: method('Unary', false, false),
  serverStream: method('ServerStream', false, true),
  clientStream: method('ClientStream', true, false),
  both: method('Both', true, true),
}

/** A server that notes what it sees. */
export class EchoServer implements AsyncDisposable {
  readonly #server = new grpc.Server(SIZES)
  port = 0
  /** Where calls came from: one address for each connection. */
  readonly peers = new Set<string>()
  readonly fields: grpc.MetadataValue[][] = []
  #cancelled = Promise.withResolvers<void>()

  static async start(credentials = grpc.ServerCredentials.createInsecure()): Promise<EchoServer> {
    const echo = new EchoServer()
    echo.#server.addService(SERVICE, echo.#handlers())
    echo.port = await new Promise<number>((resolve, reject) => {
      const ready = (error: Error | null, bound: number): void => (error === null ? resolve(bound) : reject(error))
      echo.#server.bindAsync('127.0.0.1:0', credentials, ready)
    })
    return echo
  }

  /** Resolves when a call was given up by its client. */
  get cancelled(): Promise<void> {
    return this.#cancelled.promise
  }

  #handlers(): grpc.UntypedServiceImplementation {
    return {
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        this.#note(call)
        if (call.metadata.get('x-hang').length > 0) return
        const tail = new grpc.Metadata()
        const why = call.metadata.get('x-fail')[0]
        if (why !== undefined) {
          tail.set('x-why', why)
          done({ code: grpc.status.FAILED_PRECONDITION, details: 'not now', metadata: tail })
          return
        }
        const head = new grpc.Metadata()
        head.set('x-head', 'node')
        call.sendMetadata(head)
        tail.set('x-tail', String(call.request.length))
        done(null, call.request, tail)
      },
      serverStream: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        this.#note(call)
        for (let i = 0; i < Number(call.request.toString()); i++) call.write(Buffer.from(`message ${i}`))
        call.end()
      },
      clientStream: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        this.#note(call)
        let size = 0
        call.on('data', (bytes: Buffer) => {
          size += bytes.length
        })
        call.on('end', () => done(null, Buffer.from(String(size))))
      },
      both: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        this.#note(call)
        call.on('data', (bytes: Buffer) => call.write(Buffer.from(bytes.toString().toUpperCase())))
        call.on('end', () => call.end())
      },
    }
  }

  #note(call: {
    getPeer(): string
    metadata: grpc.Metadata
    on(event: 'cancelled', listener: () => void): unknown
  }): void {
    this.peers.add(call.getPeer())
    this.fields.push(call.metadata.get('x-real-ip'))
    call.on('cancelled', () => this.#cancelled.resolve())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown()
    await Promise.resolve()
  }
}

/** What a unary call came to. */
export interface Answer {
  readonly bytes: Buffer | undefined
  readonly error: grpc.ServiceError | null
  readonly head: grpc.Metadata | undefined
  readonly tail: grpc.Metadata | undefined
}

/** Makes calls. */
export class EchoClient extends grpc.Client implements Disposable {
  /** `authority`: TLS is spoken, and the server must be called localhost by it. */
  constructor(port: number, authority?: string) {
    const trusted = authority === undefined ? undefined : Buffer.from(authority)
    const credentials = trusted === undefined ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(trusted)
    super(`127.0.0.1:${port}`, credentials, { ...SIZES, 'grpc.ssl_target_name_override': 'localhost' })
  }

  async unary(message: Buffer, fields: Record<string, string> = {}, timeoutMs = 20_000): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    let head: grpc.Metadata | undefined
    let tail: grpc.Metadata | undefined
    let result: { bytes: Buffer | undefined; error: grpc.ServiceError | null } | undefined
    const metadata = new grpc.Metadata()
    for (const [name, value] of Object.entries(fields)) metadata.set(name, value)
    const { path, requestSerialize, responseDeserialize } = SERVICE.unary
    const finish = (): void => {
      if (result !== undefined && tail !== undefined) resolve({ ...result, head, tail })
    }
    const call = this.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      metadata,
      { deadline: Date.now() + timeoutMs },
      (error, bytes) => {
        result = { bytes, error }
        finish()
      },
    )
    call.on('metadata', (received) => {
      head = received
    })
    call.on('status', (status) => {
      tail = status.metadata
      finish()
    })
    return promise
  }

  serverStream(message: Buffer): grpc.ClientReadableStream<Buffer> {
    const { path, requestSerialize, responseDeserialize } = SERVICE.serverStream
    return this.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message)
  }

  async clientStream(messages: readonly Buffer[]): Promise<Buffer | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>()
    const { path, requestSerialize, responseDeserialize } = SERVICE.clientStream
    const call = this.makeClientStreamRequest<Buffer, Buffer>(
      path,
      requestSerialize,
      responseDeserialize,
      (error, value) => (error === null ? resolve(value) : reject(error)),
    )
    for (const message of messages) call.write(message)
    call.end()
    return promise
  }

  both(): grpc.ClientDuplexStream<Buffer, Buffer> {
    const { path, requestSerialize, responseDeserialize } = SERVICE.both
    return this.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
