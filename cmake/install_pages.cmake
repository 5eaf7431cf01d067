# Run by `cmake --install`: manual pages and completions, as `task_worker_program` prints them.
set(share "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share")
execute_process(COMMAND "${task_worker_program}" man --quiet --to "${share}/man" COMMAND_ERROR_IS_FATAL ANY)

# A file for each name that a shell looks for; zsh's names both programs.
foreach(place
    bash:bash-completion/completions/task-worker bash:bash-completion/completions/enqueue
    zsh:zsh/site-functions/_task-worker
    fish:fish/vendor_completions.d/task-worker.fish fish:fish/vendor_completions.d/enqueue.fish)
    string(REGEX MATCH "^([a-z]+):(.+)$" matched "${place}")
    set(shell "${CMAKE_MATCH_1}")
    set(file "${share}/${CMAKE_MATCH_2}")
    message(STATUS "Installing: ${file}")
    execute_process(COMMAND "${task_worker_program}" completion "${shell}" OUTPUT_VARIABLE script COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE "${file}" "${script}")
endforeach()
