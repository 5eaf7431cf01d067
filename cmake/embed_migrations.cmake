# embed_migrations(<target>): compiles db/migrations/*.sql into the target, as db/migrations.hpp declares them.
function(embed_migrations target)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/db/migrations/*.sql)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/written_migrations.cpp)
    add_custom_command(
        OUTPUT ${output}
        COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DFOLDER=${CMAKE_CURRENT_SOURCE_DIR}/db/migrations
                -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/write_migrations.cmake
        DEPENDS ${files} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/write_migrations.cmake
        COMMENT "embedding migrations")
    target_sources(${target} PRIVATE ${output})
endfunction()
