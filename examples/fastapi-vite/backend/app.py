"""The API of the example: items as JSON, events as they happen, uploads and a WebSocket."""
import asyncio
import hashlib
from typing import Dict, List, Set

from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI(title="Viaduct example", openapi_url="/api/openapi.json", docs_url="/api/docs")


class Item(BaseModel):
    name: str
    price: float


items: Dict[int, Item] = {1: Item(name="arch", price=12.5)}
listeners: Set["asyncio.Queue[str]"] = set()


@app.get("/api/items")
async def list_items() -> Dict[int, Item]:
    return items


@app.post("/api/items", status_code=201)
async def create_item(item: Item) -> Dict[str, object]:
    number = max(items, default=0) + 1
    items[number] = item
    return {"id": number, **item.dict()}


@app.get("/api/items/{number}")
async def read_item(number: int) -> Item:
    if number not in items:
        raise HTTPException(404, "no such item")
    return items[number]


@app.delete("/api/items/{number}", status_code=204)
async def delete_item(number: int) -> None:
    items.pop(number, None)


@app.get("/api/request")
async def show_request(request: Request) -> Dict[str, object]:
    """What arrived here, header by header."""
    headers: List[List[str]] = [[name, value] for name, value in request.headers.items()]
    return {"client": request.client.host if request.client else None, "headers": headers}


@app.post("/api/upload")
async def upload(request: Request) -> Dict[str, object]:
    """Takes a body of any size piece by piece."""
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.get("/api/events")
async def events() -> StreamingResponse:
    """Server-sent events: a greeting at once, then what others publish, for as long as somebody listens."""
    queue: "asyncio.Queue[str]" = asyncio.Queue()

    async def stream():
        listeners.add(queue)
        try:
            yield "data: hello\n\n"
            while True:
                yield f"data: {await queue.get()}\n\n"
        finally:
            listeners.discard(queue)

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@app.post("/api/publish")
async def publish(request: Request) -> Dict[str, int]:
    text = (await request.body()).decode()
    for queue in listeners:
        queue.put_nowait(text)
    return {"listeners": len(listeners)}


@app.websocket("/ws/echo")
async def echo(socket: WebSocket) -> None:
    """Sends back what comes, text as text and bytes as bytes; "bye" makes it close."""
    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") == "bye":
                await socket.close(code=4000)
                return
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect:
        pass
