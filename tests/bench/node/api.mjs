// An API on Node's own HTTP server: it reads each request to its end and answers at once.
import { createServer } from "node:http";

const answer = JSON.stringify({ ok: true });
const server = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => {
        response.writeHead(200, { "Content-Type": "application/json", "Content-Length": answer.length });
        response.end(answer);
    });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
