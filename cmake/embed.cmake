# Compiles files into a target: each function's script writes them as C++.

# embed(<target> <what> <folder> <files>...): cmake/write_<what>.cmake makes written_<what>.cpp of the folder.
function(embed target what folder)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/written_${what}.cpp)
    set(script ${PROJECT_SOURCE_DIR}/cmake/write_${what}.cmake)
    add_custom_command(
        OUTPUT ${output}
        COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DFOLDER=${PROJECT_SOURCE_DIR}/${folder} -P ${script}
        DEPENDS ${ARGN} ${script}
        COMMENT "embedding ${folder}")
    target_sources(${target} PRIVATE ${output})
endfunction()

# db/migrations/*.sql, as db/migrations.hpp declares them.
function(embed_migrations target)
    file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/db/migrations/*.sql)
    embed(${target} migrations db/migrations ${files})
endfunction()

# worker/page/*, as worker/page.hpp declares them.
function(embed_page target)
    file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/worker/page/*)
    embed(${target} page worker/page ${files})
endfunction()
