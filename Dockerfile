FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
HEALTHCHECK --interval=60s --timeout=15s --start-period=10s CMD ["node", "dist/cli/main.js", "check", "--json"]
# The command is PID 1 here and handles SIGTERM itself: no shell or npm in between that would swallow it.
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["worker"]
